"""How a step of training is made fast; who asks only what is trained may pass by.

In come a network of a known kind, a batch and the precision of the products.
Out go the loss and the gradients, in the bits that the same settings give everywhere.
"""
