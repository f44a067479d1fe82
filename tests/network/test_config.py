"""Settings of a home: which value wins, and where it came from."""

from pathlib import Path

import pytest

from node.config import SETTINGS, ConfigError, load_config, render_config, variable


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[node]\nverify_threads = 1\nprofile = "demo"\napi_listen = "127.0.0.1:1"\n')
    environment = {"WATTEST_PROFILE": "bench", "WATTEST_API_LISTEN": "127.0.0.1:2"}
    config = load_config(tmp_path, {"node.api_listen": "127.0.0.1:3"}, environment)
    found = {key: (config.values[key], config.origins[key]) for key in SETTINGS}
    assert found["node.api_listen"] == ("127.0.0.1:3", "flag")
    assert found["node.profile"] == ("bench", "environment")
    assert found["node.verify_threads"] == (1, "file")
    assert found["client.keyring"] == ("file", "default")


def test_a_rendered_file_reads_back(tmp_path: Path) -> None:
    changes = {"node.peers": ("1@127.0.0.1:7", "2@[::1]:8"), "client.node": 'http://x/"y"', "node.verify_threads": 2}
    (tmp_path / "config.toml").write_text(render_config(changes))
    config = load_config(tmp_path, environment={})
    assert {key: config.values[key] for key in changes} == changes
    assert config.peer_addresses() == {1: "127.0.0.1:7", 2: "[::1]:8"}


def test_every_setting_has_its_own_variable() -> None:
    assert len({variable(key) for key in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[node]\np2p_lisen = 'x:1'\n", "no setting node.p2p_lisen"),
        ("[node]\np2p_listen = 'nowhere'\n", "HOST:PORT"),
        ("[node]\nverify_threads = -1\n", "0..64"),
        ("[node]\nverify_threads = 1.5\n", "neither"),
        ("[node]\nprofile = 'fast'\n", "not one of"),
        ("[node]\npeers = ['127.0.0.1:7']\n", "INDEX@HOST:PORT"),
        ("peers = 1\n", "no setting peers"),
        ("[node\n", "config.toml"),
    ],
)
def test_refuses_a_file_that_says_nothing_useful(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match=why):
        load_config(tmp_path, environment={})


def test_pages_have_no_listener_of_their_own_unless_one_is_set(tmp_path: Path) -> None:
    assert load_config(tmp_path, environment={}).text("node.pages_listen") == ""
    told = load_config(tmp_path, environment={"WATTEST_PAGES_LISTEN": "192.0.2.7:27690"})
    assert told.text("node.pages_listen") == "192.0.2.7:27690"
    with pytest.raises(ConfigError, match="HOST:PORT"):
        load_config(tmp_path, environment={"WATTEST_PAGES_LISTEN": "27690"})
