# In:  the trainings that this Snakemake is to make.
# Out: a file in its temporary folder, by which their jobs share them (see train.smk).

from collections import defaultdict

from netdyn.jobs.shared_trainings import SharedTrainings

SHARED = []  # what stays open as long as this Snakemake lives


def share_trainings(wanted):
    """Let this Snakemake's jobs share the trainings of these runs, given by scale and id."""
    blocks = defaultdict(list)
    for scale, run in wanted:
        blocks[scale, plan(scale).training_blocks()[run]].append(
            {
                "settings": plan(scale).run_settings_file(run),
                "data": plan(scale).data_file(run),
                "output": plan(scale).run_folder(run),
                "checkpoints": f"{RESULTS}/{scale}/checkpoints/{run}",
            }
        )
    blocks = [block for block in blocks.values() if len(block) > 1]
    if blocks:
        folder = workflow.snakemake_tmp_dir / "trainings"
        folder.mkdir()
        try:
            SHARED.append(SharedTrainings.attend(folder))
        except OSError:
            return  # without locks each job trains its own run
        shared = str(SharedTrainings.write(folder, blocks))
        os.environ.update(NETDYN_SHARED_TRAININGS=shared)  # which the jobs read


# The jobs of a group on a cluster have a Snakemake of their own there, which is given them by
# --target-jobs train_run:scale=…,run=…
if not workflow.is_main_process:
    targets = [
        dict(pair.split("=", 1) for pair in word.partition(":")[2].split(","))
        for word in sys.argv
        if word.startswith("train_run:")
    ]
    share_trainings((target["scale"], target["run"]) for target in targets)
