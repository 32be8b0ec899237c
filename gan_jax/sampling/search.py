"""Searches by gradients for what a generator makes given examples of, whatever it is made of."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from gan_jax.runtime import parallel

AT_ONCE = 50  # steps to a call; on CPUs one, where convolutions inside a loop are slow


def begun(trained: Any) -> dict[str, Any]:
    """The state of a search before its first step.

    Args:
      trained: what is moved, a tree of arrays [n, ...].
    """
    return {'trained': trained, 'moments': (jax.tree.map(jnp.zeros_like, trained),) * 2}


def descended(
    loss: Callable[[Any], jax.Array], state: Any, number: jax.Array, rate: jax.Array
) -> Any:
    """The state after a step of Adam, with its usual decays.

    Args:
      loss: what is moved -> a sum over examples, of which each depends on its own part only.
      state: as `begun` gives it; what else there is in it stays as it is.
      number: of the step, counted from 0.
      rate: the step's learning rate.
    """
    gradients = jax.grad(loss)(state['trained'])
    before = optax.ScaleByAdamState(number.astype(jnp.float32), *state['moments'])
    updates, adam = optax.scale_by_adam().update(gradients, before)
    trained = jax.tree.map(lambda x, y: x - rate * y, state['trained'], updates)
    return {**state, 'trained': trained, 'moments': (adam.mu, adam.nu)}


def make(
    begin: Callable[[Any, Any], Any],
    step: Callable[[Any, Any, jax.Array], Any],
    end: Callable[[Any, Any], Any],
    steps: int,
    compiled: Callable = parallel.over_examples,
) -> Callable[[Any, Any, Callable[[str], object]], tuple[Any, Any]]:
    """Compiles a search.

    Args:
      begin: (shared, given) -> the state before the first step, every leaf of it [n, ...].
      step: (shared, state, number) -> the state after the step of that number, from 0.
      end: (shared, state) -> what is read off the last state.
      steps: how many there are.
      compiled: what compiles a function of examples.

    Returns:
      (shared, given, tell) -> (the last state, what is read off it); tell(text) is told how far it
      is.
    """
    several = 1 if jax.default_backend() == 'cpu' else AT_ONCE

    def advance(shared: Any, state: Any) -> Any:
        shared, numbers = shared
        if len(numbers) == 1:
            return step(shared, state, numbers[0])
        return lax.scan(lambda x, i: (step(shared, x, i), None), state, numbers)[0]

    first, further, last = compiled(begin), compiled(advance), compiled(end)

    def search(shared: Any, given: Any, tell: Callable[[str], object]) -> tuple[Any, Any]:
        state = first(shared, given)
        for start in range(0, steps, several):
            tell(f'step {start + 1} of {steps}')
            numbers = np.arange(start, min(start + several, steps), dtype=np.int32)
            state = further((shared, numbers), state)
        return state, last(shared, state)

    return search
