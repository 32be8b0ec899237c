"""A card of exported players: the README that hubs of models read, YAML first."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

LIMITS = """\
## Limits and misuse

Samples have the faults and the gaps of the data that were trained on: what is rare there is rarer
here, and a generator may have lost whole kinds of examples (see recall and coverage, where they
were measured). Samples can be close copies of training examples; unless the run was trained under
`config.privacy`, nothing bounds what they tell about a single one. Figures compare distributions
and say nothing of a single sample.

Made-up pictures, voices and records can pass for real ones. Do not use them to impersonate people
(deep fakes), to deceive, or as evidence; do not decide about people by them; say that they are
generated wherever they are shown. The rights of the people in the data, and the data's licence,
hold for what was trained on them.
"""


# What inputs are that the card's reader draws, beside latents.
DRAWN = {
    'category': 'a code',
    'continuous': 'codes, uniform in [-1, 1)',
    'label': 'a class',
    'condition': 'a place among the categories of all columns, in the order of `config.json`',
    'noise': 'as `numpy.random.Generator.gumbel` draws it',
}


class Contents(NamedTuple):
    """What a card says.

    Attributes:
      name: of the run.
      config: its config.
      step: of its training.
      files: what was written beside it.
      shapes: {program: {input: its type and shape}}, of programs.
      made: what examples are, as they are stored, in words.
      judged: what evaluation.json holds, if the run was evaluated.
    """

    name: str
    config: Mapping[str, Any]
    step: int
    files: Sequence[str]
    shapes: Mapping[str, Mapping[str, str]]
    made: str
    judged: Mapping[str, Any] | None = None


def render(contents: Contents) -> str:
    """The card, Markdown after a header of YAML; JSON's strings and numbers are YAML's, too."""
    parts = [_header(contents), f'# {contents.name}\n', _about(contents), _use(contents)]
    if contents.judged:
        parts.append(_figures(contents.judged))
    return '\n'.join([*parts, LIMITS])


def _header(contents: Contents) -> str:
    config = contents.config
    tags = ['gan', 'jax', 'gan_jax', config['game'], config['modality']['name']]
    lines = ['license: other', 'license_name: of-the-data-and-your-choice', 'library_name: gan_jax']
    lines += ['tags:', *(f'- {json.dumps(tag)}' for tag in dict.fromkeys(tags))]
    lines += ['datasets:', f'- {json.dumps(_data(config))}']
    if contents.judged:
        lines += ['model-index:', f'- name: {json.dumps(contents.name)}', '  results:']
        lines += ['  - task:', '      type: generation', '    dataset:']
        real = contents.judged['settings'].get('real', config['dataset'])
        compared = json.dumps(_data({'dataset': real}))
        lines += [f'      name: {compared}', f'      type: {compared}', '    metrics:']
        for name, value, _ in _values(contents.judged):
            lines += [f'    - type: {json.dumps(name)}', f'      value: {json.dumps(value)}']
    return '\n'.join(['---', *lines, '---', ''])


def _data(settings: Mapping[str, Any]) -> str:
    """The data set's name without where it lies."""
    kind, colon, path = str(settings['dataset']).partition(':')
    return f'{kind}:{path.rstrip("/").split("/")[-1]}' if colon else kind


def _about(contents: Contents) -> str:
    config = contents.config
    players = [x for x in ('generator', 'discriminator') if x in config]
    networks = ', '.join(f'{x} `{config[x]["name"]}`' for x in players)
    private = config.get('privacy') or {}
    bound = (
        f' Trained under differential privacy: epsilon {private.get("epsilon")}, delta '
        f'{private.get("delta")}.'
        if private
        else ''
    )
    return (
        f'Players of the game `{config["game"]}` ({networks}) after {contents.step} steps on '
        f'`{_data(config)}`.{bound} All that was chosen is in `config.json`.\n'
    )


def _use(contents: Contents) -> str:
    lines = ['## Use', '', f'Files: {", ".join(f"`{x}`" for x in contents.files)}.', '']
    if any(x.endswith('.safetensors') for x in contents.files):
        lines += [
            'With gan_jax, in the folder above this one:', '',
            '    python launch.py --init_from=export --mode=sample', '',
        ]  # fmt: skip
    prior = contents.config.get('latent', {}).get('name')
    drawn = DRAWN | ({'latent': f'of the prior `{prior}`'} if prior else {})
    for name, inputs in contents.shapes.items():
        given = ', '.join(
            f'`{key}` {words}' + (f' ({drawn[key]})' if key in drawn else '')
            for key, words in inputs.items()
        )
        call = _onnx_call if f'{name}.onnx' in contents.files else _stablehlo_call
        lines += [
            *call(name, list(inputs)), '',
            f'Inputs of `{name}`: {given}. Examples come as networks see them, as floats; '
            f'stored, they are {contents.made}.', '',
        ]  # fmt: skip
    return '\n'.join(lines)


def _stablehlo_call(name: str, inputs: Sequence[str]) -> list[str]:
    return [
        'With jax alone:', '', '    from jax import export',
        f"    program = export.deserialize(bytearray(open('{name}.stablehlo', 'rb').read()))",
        f'    examples = program.call({"x" if inputs == ["x"] else _by_name(inputs)})',
    ]  # fmt: skip


def _onnx_call(name: str, inputs: Sequence[str]) -> list[str]:
    return [
        'With onnxruntime alone, inputs being arrays of NumPy:', '', '    import onnxruntime',
        f"    session = onnxruntime.InferenceSession('{name}.onnx')",
        f"    (examples,) = session.run(['examples'], {_by_name(inputs)})",
    ]  # fmt: skip


def _by_name(inputs: Sequence[str]) -> str:
    return '{' + ', '.join(f"'{x}': {x}" for x in inputs) + '}'


def _values(judged: Mapping[str, Any]) -> list[tuple[str, float, float | None]]:
    """(figure, value, of real examples), of the averages where there are any."""
    found = []
    for name, row in judged['figures'].items():
        value = row.get('ema', row.get('raw'))
        if value is not None:
            found.append((name, value, row.get('real')))
    return found


def _figures(judged: Mapping[str, Any]) -> str:
    settings = judged['settings']
    lines = [
        '## Figures', '',
        f'Of {settings.get("generated")} samples against {settings.get("real_images")} real ones '
        f'of `{settings.get("split")}`, at step {settings.get("step")}.', '',
        '| Figure | Value | Of real examples |', '|---|---|---|',
    ]  # fmt: skip
    for name, value, real in _values(judged):
        lines.append(f'| {name} | {value:.4g} | {"" if real is None else f"{real:.4g}"} |')
    return '\n'.join([*lines, ''])
