"""What the preparations of sounds make of names and of folders."""

import sys

import pytest

from benchmarks import drums, speech


@pytest.mark.parametrize(
    ('name', 'kind'),
    [
        ('PearlKick-Hard', 'kick'),
        ('bd_02', 'kick'),
        ('SnareRim-1', 'snare'),
        ('TomLow-0', 'tom'),
        ('hhopen_00', 'hihat'),
        ('hihat-semi-open-1', 'hihat'),
        ('CrashRide18Bell-2', 'cymbal'),
        ('Cowbell-3', None),
        ('Tambourine_1', None),
        ('Kenkeni1_Bell_Hit', None),
        ('beat 120 01', None),
        ('handclap', None),
    ],
)
def test_a_kind_of_drum_is_told_from_a_name(name, kind):
    assert drums.kind(name) == kind


def test_hits_are_copied_by_kind_under_the_names_of_their_kits(tmp_path, monkeypatch, capsys):
    for file in ('Kit A/kick-1.wav', 'Kit A/clap.wav', 'B/sub/Snare 2.FLAC', 'B/notes.txt'):
        place = tmp_path / 'kits' / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(file.encode())
    monkeypatch.setattr(sys, 'argv', ['drums', str(tmp_path / 'kits'), str(tmp_path / 'out')])
    drums.main()
    found = sorted(x.relative_to(tmp_path / 'out').as_posix() for x in tmp_path.glob('out/*/*'))
    assert found == ['kick/Kit_A_kick-1.wav', 'snare/B_Snare_2.FLAC']
    assert (tmp_path / 'out' / found[1]).read_bytes() == b'B/sub/Snare 2.FLAC'
    assert '1 left out' in capsys.readouterr().out


def test_every_tenth_recording_goes_to_test(tmp_path, monkeypatch):
    for i in range(21):
        (tmp_path / f'{i:03}.wav').write_bytes(b'')
    monkeypatch.setattr(sys, 'argv', ['speech', str(tmp_path), str(tmp_path / 'out')])
    speech.main()
    tested = sorted(x.name for x in (tmp_path / 'out' / 'test').iterdir())
    assert tested == ['000.wav', '010.wav', '020.wav']
    assert len([*(tmp_path / 'out' / 'train').iterdir()]) == 18
