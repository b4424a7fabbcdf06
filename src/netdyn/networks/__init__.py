"""Reading a network, passing samples through it and linearising it.

Input: any `torch.nn.Sequential` of linear layers, batch norm and elementwise activations.
Output: its layers, local fields, logits, L-maps and Jacobians. The network is left unchanged.
"""
