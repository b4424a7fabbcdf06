"""Further criteria of the claims, declared in workflow/claims.yaml beside the frozen ones.

A function per criterion: each says in its docstring what is compared; why it was added, and what it
sees that the frozen criterion does not, stand in the claims' file.
"""
