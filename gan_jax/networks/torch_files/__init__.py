"""PyTorch's files, read without PyTorch and without running what stands in them.

`state_dicts` reads dictionaries of tensors (.pth), `modules` pickled networks whose classes carry
their source text with them (StyleGAN2's .pkl); `pickles` is the machine under both.
"""
