"""The settings of every stage as files, and the commands that take them."""

import shlex
from collections import Counter
from collections.abc import Sequence

from netdyn.jobs.schedule import chosen_tables
from netdyn.plan.commands import commands, write_resolved
from netdyn.plan.targets import Plan
from netdyn.records.files import atomic_write

__all__ = ["resolve"]


def resolve(plan: Plan, names: Sequence[str] = ()) -> str:
    """Write the settings of every stage of a scale and a script of all commands, commands.sh.

    Args:
        plan: the scale's; the files go into its `settings_folder`.
        names: tables or figures that the commands are for; all unless given.

    Returns:
        What to type next: the first command of each stage.

    Raises:
        NetdynError: a name is neither a table nor a figure.
    """
    tables = list(dict.fromkeys(name for group in chosen_tables(plan, names) for name in group))
    figures = [figure for figure in plan.figures() if not names or figure in names]
    write_resolved(plan)
    words = [["netdyn", *each] for each in commands(plan, figures, tables)]
    script = plan.settings_folder / "commands.sh"
    with atomic_write(script) as temporary:
        lines = [f"# Every stage of scale {plan.scale} by itself, in order.", "set -e"]
        lines += [shlex.join(each) for each in words]
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    counts = Counter(each[1] for each in words)
    first = {each[1]: each for each in reversed(words)}
    listed = [
        f"  {shlex.join(first[stage])}" + (f"  # 1 of {number}" if number > 1 else "")
        for stage, number in counts.items()
    ]
    return "\n".join(
        [
            f"resolved settings of scale {plan.scale} are in {plan.settings_folder}",
            "The stages, in order:",
            *listed,
            f"All {len(words)} commands: sh {shlex.quote(str(script))}",
        ]
    )
