"""What package.module:name stands for, and what is said if it stands for nothing."""

import sys

import pytest

from gan_jax.errors import UserError
from gan_jax.runtime import own


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, with a module, and a package beside it."""
    (tmp_path / 'pieces_here.py').write_text('class Kept:\n    value = 7\n\nsoft = 3\n')
    (tmp_path / 'fails_here.py').write_text('raise RuntimeError("two\\nlines")')
    (tmp_path / 'asks_here.py').write_text('import no_such_package')
    (tmp_path / 'leaves_here.py').write_text('import sys; sys.exit(3)')
    (tmp_path / 'box_here').mkdir()
    (tmp_path / 'box_here' / 'inner.py').write_text('soft = 5')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    yield tmp_path
    for name in [x for x in sys.modules if '_here' in x]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('pieces_here:soft', 3),
        ('pieces_here:Kept.value', 7),
        ('box_here.inner:soft', 5),
        ('math:pi', 3.141592653589793),
    ],
)
def test_a_module_of_the_path_or_of_the_current_folder(folder, name, value):
    assert own.imported('config.x', name) == value


def test_the_current_folder_comes_last(folder):
    (folder / 'colorsys.py').write_text('hls_to_rgb = 1')
    assert callable(own.imported('config.x', 'colorsys:hls_to_rgb'))
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize(
    ('name', 'said'),
    [
        ('pieces_here:sofd', 'pieces_here has no sofd; did you mean pieces_here:soft?'),
        ('pieces_her:soft', 'there is no module pieces_her in the current folder or on the path; '
         'did you mean pieces_here:soft? If not, put the folder that holds pieces_her.py on it: '
         'PYTHONPATH=FOLDER'),
        ('nunpy:array', 'there is no module nunpy in the current folder or on the path; put the '
         'folder that holds nunpy.py on it: PYTHONPATH=FOLDER'),  # not what is installed
        ('zzyzx.a:b', 'there is no module zzyzx in the current folder or on the path; put the '
         'folder that holds zzyzx/ on it: PYTHONPATH=FOLDER'),
        ('box_here.iner:soft', 'box_here has no module iner; did you mean box_here.inner:soft? If '
         'not, write iner.py in it'),
        ('asks_here:x', 'asks_here imports no_such_package, which is not there; install it, or put '
         'the folder that holds it on PYTHONPATH'),
        ('fails_here:x', 'fails_here cannot be imported (RuntimeError: two lines)'),
        ('leaves_here:x', 'leaves_here cannot be imported (SystemExit: 3)'),
    ],
)  # fmt: skip
def test_what_is_not_there_is_one_line(folder, name, said):
    with pytest.raises(UserError) as error:
        own.imported('config.x', name)
    assert str(error.value) == f'config.x={name}: {said}'


@pytest.mark.parametrize('name', ['a:', ':b', 'a b:c', 'a:b:c', 'a/b.py:c', 'a.:b', 3])
def test_another_form_is_refused(name):
    with pytest.raises(UserError, match=r"must be 'package\.module:name'"):
        own.imported('config.x', name)


@pytest.mark.parametrize(
    ('name', 'formed'),
    [('a:b', True), ('a.b:c', True), ('mnist:3.0.1', False), ('mnist:3.*.*', False), ('a', False)],
)
def test_versions_of_data_sets_are_no_such_names(name, formed):
    assert own.formed(name) is formed
