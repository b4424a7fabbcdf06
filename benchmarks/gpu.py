"""What training at a scale costs on a GPU: by a model, measured, or both compared.

    python benchmarks/gpu.py --model --output docs/speed/gpu_model.csv   # needs no GPU, no torch
    python benchmarks/gpu.py --output results/gpu.csv --seconds 60       # on this machine's GPU
    python benchmarks/gpu.py --compare --output docs/speed/gpu_compared.csv   # committed tables

The parts lie in the folder beside this file; `gpu.command` describes the options.
"""

import typer
from gpu.command import main

if __name__ == "__main__":
    typer.run(main)
