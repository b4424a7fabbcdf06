"""Reading a network of any kind by what it calls.

Input: a module and example samples. Output: its sites, the calls of activations, and its maps with
all later activations the identity. The module is run as it is and left unchanged.
"""
