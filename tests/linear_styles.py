"""A game with styles that can be written out: all maps are linear."""

import types

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax import game, modalities

LATENT, SIZE, LAYERS, SIDE = 4, 3, 2, 8
SHAPE = (SIDE, SIDE, 1)
IMAGES = modalities.make({'name': 'images', 'shape': SHAPE})
STRENGTH = 0.01  # of the noise


def prior(rng, truncation=None):
    """z ~ N(0, I); psi as StyleGAN2 has it, around a mean of 0."""
    latent = jax.vmap(lambda key: jax.random.normal(key, (LATENT,)))(rng)
    psi = {} if truncation is None else {'truncation': jnp.full(len(rng), truncation)}
    return {'latent': latent, **psi}


def to_styles(params, aux, inputs):
    """w = psi (z M), the same in all layers."""
    w = inputs['latent'] @ params['map']
    w = w * inputs['truncation'][:, None] if 'truncation' in inputs else w
    return jnp.broadcast_to(w[:, None], (len(w), LAYERS, SIZE))


def synthesize(params, aux, styles, noise=None):
    """sum_l w_l K_l, and a little noise."""
    noise = aux['maps'] if noise is None else noise
    images = jnp.einsum('nls,lsp->np', styles, params['layers']).reshape(-1, *SHAPE)
    for x in jax.tree.leaves(noise):
        x = x if x.shape[:-2] else x[None]
        images += STRENGTH * x[..., :SIDE, :SIDE, None]
    return images


def sample(params, aux, inputs):
    return synthesize(params, aux, to_styles(params, aux, inputs))


FUNCTIONS = {
    'prior': prior,
    'sample': sample,
    'map': to_styles,
    'synthesize': synthesize,
    'affines': lambda params, aux: [*params['layers']],
    'noise_maps': lambda params, aux: aux['maps'],
}
GAME = game.Game(None, (), FUNCTIONS)
SILENT = game.Game(None, (), {k: x for k, x in FUNCTIONS.items() if k != 'noise_maps'})


def variables(seed=0):
    rng = np.random.default_rng(seed)
    layers = rng.normal(size=(LAYERS, SIZE, SIDE * SIDE)) / 8
    maps = {'a': np.zeros((SIDE, SIDE)), 'b': np.zeros((2 * SIDE, 2 * SIDE))}
    params = {'map': rng.normal(size=(LATENT, SIZE)), 'layers': layers}
    return jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (params, {'maps': maps}))


def run(played=GAME, classes=None):
    """In place of what a work directory holds."""
    experiment = types.SimpleNamespace(
        game=played,
        modality=IMAGES._replace(fields={'classes': classes}),
        seeds=[0],
        config={'data': {'max_pixels': 10_000}, 'game': 'linear'},
    )
    return types.SimpleNamespace(experiment=experiment, step=7, variables=lambda _: variables())
