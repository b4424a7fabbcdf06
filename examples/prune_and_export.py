"""Pruning and exporting: the last layers become linear, the rest goes to another program.

`pruned(start)` is a module whose activations from site `start` on are the identity. Of an MLP its
last layers are one Linear layer; torch.export writes it as a graph that needs none of its code.
"""

import tempfile
from pathlib import Path

import torch
from sklearn.datasets import load_digits
from torch import nn

import netdyn

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
torch.manual_seed(0)
hidden = [layer for _ in range(4) for layer in (nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU())]
model = nn.Sequential(*hidden, nn.Linear(64, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
for _ in range(60):
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()

network = netdyn.read(model)
table = network.pruning(x, y)
whole = table.accuracy.iloc[-1]
table["parameters"] = [
    sum(p.numel() for p in network.pruned(start).parameters()) for start in table.start
]
print(table[["start", "accuracy", "error", "parameters"]].round(3).to_string(index=False))

start = int(table[table.accuracy >= whole - 0.05].start.min())
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "pruned.pt2"
    torch.export.save(torch.export.export(network.pruned(start), (x,)), path)
    exported = torch.export.load(path).module()
accuracy = (exported(x).argmax(1) == y).float().mean()
print(f"pruned from site {start} on, exported and loaded again: accuracy {accuracy:.3f}")
