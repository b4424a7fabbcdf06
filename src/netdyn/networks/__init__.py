"""How a network is read, run and linearised, layer by layer.

In comes any `torch.nn.Sequential` of linear layers, batch norm and elementwise activations.
Out go its layers, local fields, logits, L-maps and Jacobians; the network is left alone.
"""
