"""A run on a bucket, emulated on this machine; benchmarks/buckets.py shows more, and longer."""

import command_line
import emulator
import pytest

from benchmarks import buckets as bench
from gan_jax.runtime import buckets


@pytest.mark.slow
@pytest.mark.skipif(bool(emulator.missing()), reason=emulator.missing())
def test_a_run_killed_on_a_bucket_ends_as_on_a_disk_and_survives_damage(tmp_path, monkeypatch):
    with emulator.started() as environment:
        environment |= {'XDG_CACHE_HOME': str(tmp_path / 'cache')}
        environment |= {'XLA_FLAGS': command_line.ENVIRONMENT['XLA_FLAGS']}  # of one device
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        workdir, disk = buckets.at(f'gs://{emulator.BUCKET}/run'), tmp_path / 'disk'
        assert bench.finish(bench.train(disk))[0] == 0
        step, line = bench.killed(workdir, 150, 0)
        assert 150 <= step <= line < bench.STEPS
        code, out = bench.finish(bench.train(workdir))
        assert code == 0, out
        assert f'goes on from step {step} of gs://' in out
        assert bench.equal(disk, workdir)
        here, there = ({x.name for x in y.iterdir()} for y in (disk, workdir))
        assert {x for x in here if not x.startswith('events')} - {'lock'} == {
            x for x in there if not x.startswith('events')
        }
        assert sum(x.startswith('events.out.') for x in there) >= 2
        assert (workdir / 'config.json').read_bytes() == (disk / 'config.json').read_bytes()
        bench.flip_a_bit(workdir)
        code, out = bench.finish(bench.start('--mode=sample', '--num=16', f'--workdir={workdir}'))
        assert code == 0, out
        assert 'checkpoints/300 is damaged' in out
        assert 'step 250: wrote gs://' in out
        assert (workdir / 'generated' / 'seed_0.npz').is_file()
