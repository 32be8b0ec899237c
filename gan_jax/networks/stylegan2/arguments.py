"""What official networks were made with, in the words of ours.

A network pickle holds the arguments of its networks. Those that ours have, too, are their fields;
those that ours do not have must be as they usually are. All else is refused by its name, for it
would make another network.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from gan_jax.networks.layers.equalized import FILTER
from gan_jax.networks.stylegan2.common import ARCHITECTURES
from gan_jax.networks.torch_files.modules import Module
from gan_jax.networks.torch_files.pickles import told

WIDEST = 2**16  # of any layer
WHOLE_BATCH = 2**16  # a group of the minibatch's standard deviation larger than any batch
NEEDED = object()

Check = Callable[[Any], Any]


class Facts(NamedTuple):
    """What both networks of a pickle must agree in.

    Attributes:
      shape: (height, width, channels) of an image.
      classes: the size of a label, 0 without labels.
    """

    shape: tuple[int, int, int]
    classes: int


def _whole(least: int, most: int) -> Check:
    def check(x: Any) -> int:
        if type(x) is not int or not least <= x <= most:
            raise ValueError(f'is {told(x)}, no whole number from {least} to {most}')
        return x

    return check


def _number(least: float, most: float) -> Check:
    def check(x: Any) -> float:
        if type(x) not in (int, float) or not least <= x <= most:
            raise ValueError(
                f'is {x if type(x) is float else told(x)}, none from {least} to {most}'
            )
        return float(x)

    return check


def _optional(inner: Check, otherwise: Any = None) -> Check:
    return lambda x: otherwise if x is None else inner(x)


def _one_of(*values: Any) -> Check:
    def check(x: Any) -> Any:
        if type(x) not in (str, int, bool, type(None)) or x not in values:
            listed = ', '.join(map(repr, values))
            raise ValueError(f'is {told(x)}; only {listed} can be read')
        return x

    return check


def _table(x: Any) -> dict[str, Any]:
    if type(x) is not dict:
        raise ValueError(f'is {told(x)}, no dictionary')
    return x


def _resolution(x: Any) -> int:
    x = _whole(8, 4096)(x)
    if x & (x - 1):
        raise ValueError(f'is {x}, no power of 2')
    return x


def _filter(x: Any) -> tuple[float, ...]:
    if type(x) not in (list, tuple) or not 1 <= len(x) <= 32:
        raise ValueError(f'is {told(x)}, no list of taps')
    taps = tuple(_number(-1e6, 1e6)(tap) for tap in x)
    taps = tuple(int(tap) if tap.is_integer() else tap for tap in taps)
    if not math.fsum(taps):
        raise ValueError('has taps whose sum is zero')
    return taps


_FLAG, _WIDTH = _one_of(True, False), _whole(1, WIDEST)
_ACTIVATION = ('lrelu', _one_of('lrelu'))
# Of each function {argument: (its default, what its value must be)}.
_COMMON = {
    'c_dim': (NEEDED, _whole(0, WIDEST)),
    'img_resolution': (NEEDED, _resolution),
    'img_channels': (NEEDED, _whole(1, 64)),
    'mapping_kwargs': ({}, _table),
}
_CHANNELS = {
    'channel_base': (32768, _whole(1, 2**24)),
    'channel_max': (512, _WIDTH),
    'num_fp16_res': (0, _whole(0, 16)),
    'conv_clamp': (None, _optional(_number(0, 1e9))),
}
_MAPPING = {
    'num_layers': (8, _whole(0, 64)),
    'embed_features': (None, _optional(_WIDTH)),
    'layer_features': (None, _optional(_WIDTH)),
    'activation': _ACTIVATION,
    'lr_multiplier': (0.01, _number(1e-9, 1e9)),
}
_BLOCK = {
    'resample_filter': (FILTER, _filter),
    'activation': _ACTIVATION,
    'fp16_channels_last': (False, _FLAG),  # how they lie in memory
}
_GENERATOR = {'z_dim': (NEEDED, _WIDTH), 'w_dim': (NEEDED, _WIDTH)} | _COMMON
_GENERATOR |= {'synthesis_kwargs': ({}, _table)}
_GENERATOR_MAPPING = _MAPPING | {'w_avg_beta': (0.995, _number(0, 1))}
_SYNTHESIS = _CHANNELS | _BLOCK
_SYNTHESIS |= {
    'architecture': ('skip', _one_of(*ARCHITECTURES)),
    'use_noise': (True, _one_of(True)),
    'kernel_size': (3, _one_of(3)),
}
_DISCRIMINATOR = _COMMON | _CHANNELS
_DISCRIMINATOR |= {
    'architecture': ('resnet', _one_of(*ARCHITECTURES)),
    'cmap_dim': (None, _optional(_WIDTH)),
    'block_kwargs': ({}, _table),
    'epilogue_kwargs': ({}, _table),
}
_LAYERS = _BLOCK | {'freeze_layers': (0, _whole(0, 2**16))}  # which were not trained
_EPILOGUE = {
    'mbstd_group_size': (4, _optional(_whole(2, WHOLE_BATCH), WHOLE_BATCH)),
    'mbstd_num_channels': (1, _one_of(1)),
    'activation': _ACTIVATION,
}


def _read(given: Any, known: Mapping[str, tuple[Any, Check]], prefix: str = '') -> dict[str, Any]:
    """The values of all known arguments, checked.

    Raises:
      ValueError: if one is missing, unknown or of another kind.
    """
    unknown = [key for key in _table(given) if key not in known]
    if unknown:
        raise ValueError(f'it has the argument {f"{prefix}{unknown[0]}"!r:.80}, which is not known')
    values = {}
    for key, (default, check) in known.items():
        if key not in given and default is NEEDED:
            raise ValueError(f'it has no argument {prefix}{key}')
        try:
            values[key] = check(given.get(key, default))
        except ValueError as error:
            raise ValueError(f'its argument {prefix}{key} {error}') from None
    return values


def _same(values: Mapping[str, Any], keys: tuple[str, ...], width: int, prefix: str = '') -> None:
    """Raises ValueError unless these arguments are of the width that they usually have."""
    for key in keys:
        if values[key] not in (None, width):
            raise ValueError(
                f'its argument {prefix}{key} is {values[key]}; only {width} can be read'
            )


def _given(network: Module, name: str) -> dict[str, Any]:
    if network.name != name:
        raise ValueError(f'it is a {network.name!r:.80}, not a {name}')
    positional = network.state.get('_init_args')
    if type(positional) is not tuple or positional:
        raise ValueError('it was made with arguments without names')
    return _table(network.state.get('_init_kwargs'))


def _facts(values: Mapping[str, Any]) -> Facts:
    size = values['img_resolution']
    return Facts((size, size, values['img_channels']), values['c_dim'])


def _shared(values: Mapping[str, Any], facts: Facts, taps: tuple[float, ...]) -> dict[str, Any]:
    """The fields that both networks have."""
    return {
        'channel_base': values['channel_base'],
        'channel_max': values['channel_max'],
        'half_resolutions': values['num_fp16_res'],
        'clamp': values['conv_clamp'],
        'architecture': values['architecture'],
        'filter': taps,
        'conditional': facts.classes > 0,
    }


def of_generator(network: Module) -> tuple[dict[str, Any], Facts]:
    """The fields of `Generator`, and what it has in common with its discriminator.

    Raises:
      ValueError: if it was made with anything that ours does not have.
    """
    values = _read(_given(network, 'Generator'), _GENERATOR)
    mapping = _read(values['mapping_kwargs'], _GENERATOR_MAPPING, 'mapping_kwargs.')
    synthesis = _read(values['synthesis_kwargs'], _SYNTHESIS, 'synthesis_kwargs.')
    facts, width = _facts(values), values['w_dim']
    _same(mapping, ('layer_features',), width, 'mapping_kwargs.')
    if facts.classes:
        _same(mapping, ('embed_features',), width, 'mapping_kwargs.')
    if not mapping['num_layers']:
        raise ValueError('its argument mapping_kwargs.num_layers is 0; it needs one layer')
    fields = {
        'latent_size': values['z_dim'],
        'style_size': width,
        'mapping_layers': mapping['num_layers'],
        'mapping_rate': mapping['lr_multiplier'],
        'w_avg_decay': mapping['w_avg_beta'],
    }
    return fields | _shared(synthesis, facts, synthesis['resample_filter']), facts


def of_discriminator(network: Module) -> tuple[dict[str, Any], Facts]:
    """The fields of `Discriminator`, and what it has in common with its generator.

    Raises:
      ValueError: if it was made with anything that ours does not have.
    """
    values = _read(_given(network, 'Discriminator'), _DISCRIMINATOR)
    mapping = _read(values['mapping_kwargs'], _MAPPING, 'mapping_kwargs.')
    block = _read(values['block_kwargs'], _LAYERS, 'block_kwargs.')
    epilogue = _read(values['epilogue_kwargs'], _EPILOGUE, 'epilogue_kwargs.')
    facts = _facts(values)
    fields = {'group_size': epilogue['mbstd_group_size']}
    if facts.classes:
        width = min(values['channel_base'] // 4, values['channel_max'])
        _same(values, ('cmap_dim',), width)
        _same(mapping, ('embed_features', 'layer_features'), width, 'mapping_kwargs.')
        fields['mapping_layers'] = mapping['num_layers']
        fields['mapping_rate'] = mapping['lr_multiplier']
    return fields | _shared(values, facts, block['resample_filter']), facts
