# Checks before jobs are submitted to a cluster.
#
# In:  the jobs that are about to run, with what the profile says of them; on SLURM, what sinfo says.
# Out: one line where a partition has less time than a job asks for; nothing otherwise.

from netdyn.plan.partitions import Request, check_times, partition_limits


def asked_of_slurm(jobs):
    """Yield what each of these jobs, or the group that it belongs to, asks SLURM for."""
    groups = set()
    for job in jobs:
        group = workflow.dag.get_job_group(job)
        if job.is_local or group in groups:
            continue
        groups.update({group} - {None})
        resources = (group or job).resources
        rules = sorted({member.rule.name for member in group or [job]})
        yield Request(
            " and ".join(rules),
            float(resources.get("runtime") or 0),
            str(resources.get("slurm_partition") or ""),
            len(group or [job]),
        )


def check_cluster(jobs):
    """End with one line where SLURM would let a job wait for ever."""
    if workflow.executor_plugin.name != "slurm":
        return
    limits = partition_limits()
    if limits:
        try:
            check_times(asked_of_slurm(jobs), limits)
        except NetdynError as error:
            raise SystemExit(f"error: {error}") from None
