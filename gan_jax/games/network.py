"""Networks as pure functions, and networks in the hands of a player.

Only this module of the games speaks flax: it turns a module into two functions, and a `Role` finds
the network's parameters and collections in what the game holds of all players.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import flax.linen as nn
import jax

from gan_jax import keys
from gan_jax.game import Aux, Params
from gan_jax.networks import verdict

OURS = ('self', 'train', 'rng')


class Network(NamedTuple):
    """A network as two pure functions.

    Attributes:
      init: (rng, *inputs, **named) -> (params, collections).
      apply: (params, collections, *inputs, rng, train, **named) -> (output, collections). In
        training the collections come back new, batch statistics are the batch's own, and where
        keys [batch] are given, dropout draws from them.
      asks: the names of the inputs that it takes; of what is named it is given these alone. A
        module may say by a property `asks` what of a batch or a prior it takes as it is configured.
      module: what it is made of; None if it has no other methods.
    """

    init: Callable[..., tuple[Any, Any]]
    apply: Callable[..., tuple[Any, Any]]
    asks: frozenset[str]
    module: Any = None

    def method(self, name: str) -> 'Network':
        """The same network by another of its methods, with the same parameters.

        Raises:
          AttributeError: if it has no such method.
        """
        return of_module(self.module, name)


def of_module(module: nn.Module, method: str = '__call__') -> Network:
    """The functions of a flax module by a method that takes inputs and perhaps `train` and `rng`.

    Raises:
      AttributeError: if the module has no such method.
      TypeError: the functions, if an input that the module needs is not given.
    """
    parameters = inspect.signature(getattr(type(module), method)).parameters
    asks = frozenset(parameters) - {*OURS}

    def options(train: bool, rng: chex.PRNGKey | None, named: Mapping[str, Any]) -> dict[str, Any]:
        drawn = None if rng is None else keys.of_name(rng, 'dropout')
        given = {'train': train, 'rng': drawn, **named}
        return {name: x for name, x in given.items() if name in parameters}

    def init(rng: chex.PRNGKey, *inputs: Any, **named: Any) -> tuple[Any, Any]:
        variables = dict(module.init(rng, *inputs, method=method, **options(True, None, named)))
        return variables.pop('params', {}), variables

    def apply(params, collections, *inputs, rng=None, train=True, **named):
        variables = {'params': params, **collections}
        given = {'method': method, **options(train, rng, named)}
        if not train:
            return module.apply(variables, *inputs, **given), collections
        return module.apply(variables, *inputs, mutable=list(collections), **given)

    asks &= getattr(module, 'asks', asks)
    return Network(init, apply, asks, module)


def features(discriminator: Network) -> Network:
    """A discriminator as far as its features.

    They are what its verdict calls so, or else what its last dense layer is given. In evaluation
    each example passes by itself: where a discriminator compares the examples of a batch, it is
    given batches of one, so that no feature depends on other examples.

    Returns:
      The same network with features [n, ...] for an output.

    Raises:
      ValueError: the network's functions, if it has neither.
    """

    def judged(params, collections, *inputs, **options):
        dense: list[Any] = []

        def watch(call: Callable, args: Sequence[Any], kwargs: Any, context: Any) -> Any:
            output = call(*args, **kwargs)
            if context.method_name == '__call__' and _is_dense(context.module):
                dense.append(args[0])
            return output

        with nn.intercept_methods(watch):
            output, collections = discriminator.apply(params, collections, *inputs, **options)
        found = verdict.of(output).features
        if found is None and not dense:
            raise ValueError('the discriminator has no features: it ends in no dense layer')
        return (dense[-1] if found is None else found), collections

    def apply(params, collections, examples, *, rng=None, train=True, **named):
        if train:
            return judged(params, collections, examples, rng=rng, train=True, **named)

        def alone(example: Any) -> Any:
            one = jax.tree.map(lambda x: x[None], example)
            found, _ = judged(params, collections, one, train=False, **named)
            return jax.tree.map(lambda x: x[0], found)

        return jax.vmap(alone)(examples), collections

    return discriminator._replace(apply=apply)


def _is_dense(module: nn.Module) -> bool:
    kernel: Any = module.get_variable('params', 'kernel')
    return kernel is not None and len(kernel.shape) == 2


class Role(NamedTuple):
    """A network in a player's hands: role(params, aux, *inputs, rng, train) -> (output, new aux).

    Attributes:
      network: the network.
      player: whose it is.
      part: its name among the player's networks; empty if it is the only one.
    """

    network: Network
    player: str
    part: str = ''

    def init(self, rng: chex.PRNGKey, *inputs: Any, **named: Any) -> tuple[Any, Any]:
        """(params, collections) from a key of its own, for inputs such as these."""
        own = keys.fold_in_name(rng, f'{self.player} {self.part}'.strip())
        return self.network.init(own, *inputs, **named)

    def __call__(
        self,
        params: Params,
        aux: Aux,
        *inputs: Any,
        rng: chex.PRNGKey | None = None,
        train: bool = True,
        **named: Any,
    ) -> tuple[Any, Aux]:
        """The network's output, and aux with its collections in it.

        Args:
          params: every player's parameters.
          aux: the game's aux.
          *inputs: what the network takes first.
          rng: keys [batch], for dropout; None for none.
          train: whether batch statistics are the batch's own.
          **named: inputs by name; the network is given those that it asks for.
        """
        own, collections = params[self.player], aux[self.player]
        if self.part:
            own, collections = own[self.part], collections[self.part]
        output, collections = self.network.apply(
            own, collections, *inputs, rng=rng, train=train, **named
        )
        if self.part:
            collections = {**aux[self.player], self.part: collections}
        return output, {**aux, self.player: collections}


def begin(
    rng: chex.PRNGKey, cast: Sequence[tuple[Role, Any, Mapping[str, Any]]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """({player: parameters}, aux) of roles, each with an input and named ones, in a game's init."""
    params: dict[str, Any] = {}
    aux: dict[str, Any] = {}
    for role, given, named in cast:
        own, collections = role.init(rng, given, **named)
        if role.part:
            params.setdefault(role.player, {})[role.part] = own
            aux.setdefault(role.player, {})[role.part] = collections
        else:
            params[role.player], aux[role.player] = own, collections
    return params, aux


def generate(role: Role, params: Params, aux: Aux, inputs: Mapping[str, Any], **options: Any):
    """The generator's answer to a latent and what it asks for beside it."""
    named = {name: x for name, x in inputs.items() if name != 'latent'}
    return role(params, aux, inputs['latent'], **named, **options)
