# In:  the command line, and all rules: this file is the last to be included.
# Out: one line where a target is none, in place of the two or more of Snakemake's own error.

import difflib
import sys
from pathlib import Path

from snakemake.cli import get_argument_parser


def is_target(word):
    """Return whether a rule has this name or makes this file, or the file is there."""
    return (
        any(rule.name == word or rule.is_producer(word) for rule in workflow.rules)
        or Path(word).exists()
    )


def check_targets():
    """End with one line that lists the targets where one of the command line's is none."""
    unknown = [
        word
        for word in sys.argv[1:]
        if word[:1].isalpha() and "=" not in word and not is_target(word)
    ]
    # Most of them are values of options. Snakemake's parser tells, which takes a moment to build.
    if not unknown or "snakemake" not in Path(sys.argv[0]).parts[-2:]:
        return
    asked, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    targets = [rule.name for rule in workflow.rules if not rule.output]
    for word in unknown:
        if word in asked.targets:
            near = difflib.get_close_matches(word, targets, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise SystemExit(
                f"error: there is no target {word!r}; {hint}targets are {', '.join(targets)}, "
                f"and files such as results/{SCALE}/figures/fig1.pdf"
            )


# As a part of another workflow, by module or include, the targets are that one's.
if workflow.is_main_process and len(workflow.included_stack) == 2:
    check_targets()
