"""Each program is compiled once, whatever function it comes from.

Tests build the same game again and again, and each new function is a new program to `jax.jit`,
though XLA is given the same text. JAX's own cache on disk would not do: programs for several
virtual devices have crashed the process that read them back.
"""

import hashlib

from jax._src import compiler

KEPT = {}


def share():
    """From now on a text that was compiled before, for the same devices, is not compiled again."""
    compiler.backend_compile_and_load = _once(compiler.backend_compile_and_load)


def _once(load):
    def compiled(backend, module, devices, options, host_callbacks):
        text = module.operation.get_asm(enable_debug_info=False)
        if host_callbacks or 'callback' in text:  # an address in this process
            return load(backend, module, devices, options, host_callbacks)
        # The options name the devices.
        digest = hashlib.sha256(text.encode() + options.SerializeAsString()).digest()
        key = id(backend), digest
        if key not in KEPT:
            KEPT[key] = load(backend, module, devices, options, host_callbacks)
        return KEPT[key]

    return compiled
