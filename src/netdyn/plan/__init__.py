"""What the workflow's rules ask: which files a result is made of, for every scale.

The rules name outputs by pattern; from a pattern's wildcards this module finds the inputs. So
`snakemake results/cpu/figures/fig7.pdf` works whatever scale the configuration names.
"""

from netdyn.plan.targets import Plan
from netdyn.plan.written import code

__all__ = ["Plan", "code"]
