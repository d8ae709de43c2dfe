"""tools/analysis/plot_balance.py on a real run that was stopped and resumed."""

import pytest

TOOL = 'analysis/plot_balance.py'


def test_a_resumed_run_is_one_picture(main, adversarial_run, tmp_path, capsys):
    main(TOOL, adversarial_run, '--out', tmp_path / 'a.png', '--smooth', 2)
    assert capsys.readouterr().out == f'{tmp_path / "a.png"}: iterations up to 6 from 2 logs\n'
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'
    newest = sorted(adversarial_run.glob('*/vis_data/scalars.json'))[-1]
    main(TOOL, newest, '--out', tmp_path / 'b.svg')
    text = (tmp_path / 'b.svg').read_text()
    for label in ('pose.acc_real', 'confidence.share_right', 'loss_adv_pose', 'alpha', 'accuracy (%)'):
        assert f'<!-- {label} -->' in text


def test_the_picture_goes_into_the_work_directory(main, adversarial_run):
    main(TOOL, adversarial_run)
    assert (adversarial_run / 'balance.png').stat().st_size > 10000


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['gone'], 'gone does not exist'),
        (['.'], r'\. holds no scalars.json of a run'),
        (['other.json'], 'other.json: the log has no values of a discriminator'),
        (['other.json', '--smooth', '0'], '--smooth 0, allowed: at least 1'),
        (['other.json', '--out', 'x.txt'], 'allowed: a name that ends in .png .pdf .svg'),
    ],
)
def test_errors_are_one_line(main, tmp_path, monkeypatch, args, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'other.json').write_text('{"loss": 1.0, "iter": 1, "step": 1}\n')
    with pytest.raises(SystemExit, match=f'^plot_balance.py: error: .*{message}'):
        main(TOOL, *args)
    assert [path.name for path in tmp_path.iterdir()] == ['other.json']
