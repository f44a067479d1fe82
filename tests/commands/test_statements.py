"""A retirement proven without any node."""

import html
import re
import sys
from pathlib import Path

import pytest
from harness.answering_node import AnsweringNode
from harness.world import genesis_json


@pytest.fixture
def proof(act, node: AnsweringNode, tmp_path: Path) -> tuple[Path, Path]:  # type: ignore[no-untyped-def]
    """The exported proof file of a retirement, and the genesis of its network."""
    retired = act("retire", "--quantity", 2, "--from", "owner", "--beneficiary", "Bakery Dupont", "--json").json
    file, genesis = tmp_path / "statement.proof", tmp_path / "genesis.json"
    assert act("statement", "export", retired["events"][0]["statement"], "--out", file).code == 0
    genesis.write_bytes(node.chain.genesis_text)
    return file, genesis


def test_proof_verifies_with_the_genesis_that_is_trusted(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    ran = wattest("statement", "verify", file, "--genesis", genesis, "--json")
    assert ran.code == 0, ran.err
    assert ran.json["schema"] == "statement_verified/1"
    assert ran.json["verified"] is True
    assert ran.json["beneficiary"]["name"] == "Bakery Dupont"
    assert (ran.json["total_wh"], ran.json["certificates"][0]["quantity"]) == ("2000000", "2")
    assert "Bakery Dupont" in wattest("statement", "verify", file, "--genesis", genesis).out


def test_refuses_to_verify_without_a_genesis_to_trust(wattest, proof, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = wattest("--home", tmp_path / "empty", "statement", "verify", proof[0])
    assert ran.code == 2
    assert "give it with --genesis" in ran.err


def test_genesis_of_the_home_is_trusted(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    assert wattest("--home", genesis.parent, "statement", "verify", file).err == ""


def test_refuses_proof_of_another_network(wattest, proof, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = tmp_path / "other.json"
    other.write_bytes(genesis_json(idle_interval_ms=9_000))
    ran = wattest("statement", "verify", proof[0], "--genesis", other)
    assert ran.code == 6


def test_refuses_every_touched_byte(wattest, proof) -> None:  # type: ignore[no-untyped-def]
    file, genesis = proof
    data = file.read_bytes()
    for position in range(0, len(data), max(1, len(data) // 40)):
        file.write_bytes(data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :])
        assert wattest("statement", "verify", file, "--genesis", genesis).code == 6, position


# --- the words of a statement


@pytest.fixture
def identity(act) -> str:  # type: ignore[no-untyped-def]
    retired = act("retire", "--quantity", 2, "--from", "owner", "--beneficiary", "Bakery Dupont", "--json").json
    return str(retired["events"][0]["statement"])


SAID = [("en", "The claim", "2 MWh"), ("ru", "Выгодоприобретатель", "2 МВт·ч"), ("zh", "受益方", "2 兆瓦时")]


@pytest.mark.parametrize(("lang", "label", "energy"), SAID)
def test_statement_is_told_in_each_language(act, identity: str, lang: str, label: str, energy: str) -> None:  # type: ignore[no-untyped-def]
    out = act("statement", "show", identity, "--lang", lang).out
    assert label in out
    assert energy in out
    assert "Bakery Dupont" in out
    assert act("statement", "show", identity, "--lang", lang, "--json").json["facts"]["purpose"] == "voluntary"


@pytest.mark.parametrize("form", ["text", "html", "json", "proof"])
def test_every_form_tells_the_same_statement(act, identity: str, form: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "out"
    ran = act("statement", "export", identity, "--format", form, "--out", file, "--json")
    assert (ran.code, ran.json["format"]) == (0, form)
    data = file.read_bytes()
    assert len(data) == ran.json["bytes"]
    assert b"Bakery Dupont" in data
    if form != "proof":
        assert identity.encode() in data
        assert b"WAT-FR-0000001-201404-000000001/000000002-" in data


def test_text_and_page_hold_the_same_lines(act, identity: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    text, page = tmp_path / "text", tmp_path / "page"
    act("statement", "export", identity, "--format", "text", "--out", text)
    act("statement", "export", identity, "--format", "html", "--out", page)
    lines = [line.split("  ") for line in text.read_text().splitlines() if line.startswith("  ")]
    assert len(lines) > 20
    shown = html.unescape(re.sub(r"<[^>]*>", "\n", page.read_text()))
    for words in lines:
        label, value = [word.strip() for word in words if word]
        assert label in shown
        assert value in shown


def test_links_of_an_exported_page_lead_to_the_node(act, identity: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    page = tmp_path / "page.html"
    act("statement", "export", identity, "--format", "html", "--out", page, "--lang", "ru")
    links = re.findall(r'(?:src|href)="([^"]*)"', page.read_text())
    assert links
    assert all(link.startswith(("http://test/", "#")) for link in links), links


def test_what_is_printed_leads_to_where_the_public_reaches_the_node(act, identity: str, node: AnsweringNode) -> None:  # type: ignore[no-untyped-def]
    """Not to the address that the command itself talks to: nobody who scans the paper has that one."""
    out = act("statement", "show", identity).out
    assert f"http://test/statement/{identity}?c=" in out
    assert node.url not in out


def test_file_is_named_after_its_form(act, identity: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    for form in ("text", "html", "json", "proof"):
        assert act("statement", "export", identity, "--format", form).code == 0
    assert sorted(path.name for path in tmp_path.glob("statement.*")) == [
        "statement.html",
        "statement.json",
        "statement.proof",
        "statement.txt",
    ]


# --- on paper


def test_pdf_is_the_same_twice_and_says_what_the_page_says(act, identity: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("fpdf")
    for name in ("one.pdf", "two.pdf"):
        ran = act("statement", "export", identity, "--format", "pdf", "--lang", "ru", "--out", tmp_path / name)
        if "[no_font]" in ran.err:
            pytest.skip("this machine has no font with Cyrillic letters")
        assert ran.code == 0, ran.err
    assert (tmp_path / "one.pdf").read_bytes() == (tmp_path / "two.pdf").read_bytes()
    assert (tmp_path / "one.pdf").read_bytes().startswith(b"%PDF-1.")


def test_paper_breaks_lines_between_words(act, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    fpdf = pytest.importorskip("fpdf")
    note = "for the bakery in the long street behind the harbour of the old town " * 2
    retired = act("retire", "--quantity", 1, "--from", "owner", "--beneficiary", "B", "--note", note.strip(), "--json")
    cell, broken, asking = fpdf.FPDF.multi_cell, [], []

    def recorded(pdf, *arguments, **options):  # type: ignore[no-untyped-def]
        if not asking:  # for the lines that it will break into, which it finds out by calling itself
            asking.append(True)
            broken.append(cell(pdf, *arguments, **options, dry_run=True, output="LINES"))
            asking.clear()
        return cell(pdf, *arguments, **options)

    monkeypatch.setattr(fpdf.FPDF, "multi_cell", recorded)
    identity = retired.json["events"][0]["statement"]
    ran = act("statement", "export", identity, "--format", "pdf", "--out", tmp_path / "one.pdf")
    if "[no_font]" in ran.err:
        pytest.skip("this machine has no font")
    lines = next(lines for lines in broken if lines[0].startswith("for the bakery"))
    assert len(lines) > 1
    assert " ".join(lines).split() == note.split()


def test_characters_that_no_font_has_are_named(act, identity: str, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("fpdf")
    monkeypatch.setattr("node.pages.fonts.PLACES", ())
    ran = act("statement", "export", identity, "--format", "pdf", "--lang", "zh", "--out", tmp_path / "x.pdf")
    assert ran.code == 2
    assert "[no_font]" in ran.err
    assert not (tmp_path / "x.pdf").exists()
    (tmp_path / "no.ttf").write_bytes(b"no font")
    ran = act("statement", "export", identity, "--format", "pdf", "--font", tmp_path / "no.ttf")
    assert "is no font" in ran.err


def test_without_fpdf2_a_pdf_says_what_to_install(act, identity: str, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setitem(sys.modules, "fpdf", None)
    monkeypatch.delitem(sys.modules, "node.pages.pdf", raising=False)
    ran = act("statement", "export", identity, "--format", "pdf")
    assert ran.code == 2
    assert "wattest[pdf]" in ran.err


def test_statement_is_named_by_its_code_too(act, identity: str) -> None:  # type: ignore[no-untyped-def]
    code = act("statement", "show", identity, "--json").json["code"]
    assert act("statement", "show", code.lower(), "--json").json["id"] == identity
    ran = act("statement", "show", code[:-1] + ("1" if code[-1] == "0" else "0"))
    assert ran.code == 1
    assert "[bad_statement_code]" in ran.err
