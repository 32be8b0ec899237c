"""Networks as pure functions, and networks in the hands of a player.

Only this module of the games speaks flax: it turns a module into two functions, and a `Role` finds
the network's parameters and collections in what the game holds of all players.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import chex
import flax.linen as nn

from gan_jax import keys
from gan_jax.game import Aux, Params

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
