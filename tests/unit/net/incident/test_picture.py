from xml.etree import ElementTree as ET

from tracekeeper.net.incident.picture import END, HEIGHT, LEFT, RIGHT, WIDTH, svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn() -> ET.Element:
    return ET.fromstring(svg())


def marks(style: str) -> list[ET.Element]:
    return [element for element in drawn().iter() if element.get("class") == style]


def test_one_lane_loses_the_greeting_and_one_keeps_it() -> None:
    texts = [text.text for text in drawn().iter(f"{SVG}text")]
    assert "Hello world! is lost, and nobody is told" in texts
    assert "Hello world! arrives" in texts
    assert texts.count("state forgotten here") == 1


def test_every_packet_has_its_mark() -> None:
    sleep = END - 70
    assert len(marks("keepalive")) == 2 * (sleep // 15) + 2  # and two in the legend
    assert len(marks("data")) == 1 + 3 + 1
    together = [int(mark.text[:-1]) for mark in marks("bad") if mark.text and mark.text[-1] == "×"]
    crosses = len(marks("lost")) - 1
    assert crosses - len(together) + sum(together) == 3 + 9
    assert crosses < 3 + 9
    assert len(marks("band")) == len(marks("forgotten")) == 1


def test_everything_is_inside() -> None:
    for circle in drawn().iter(f"{SVG}circle"):
        assert LEFT <= float(circle.get("cx", 0)) <= RIGHT < WIDTH
        assert 0 < float(circle.get("cy", 0)) < HEIGHT


def test_it_needs_nothing_from_elsewhere() -> None:
    assert "href" not in svg()
    assert "url(" not in svg()
    assert "prefers-color-scheme: dark" in svg()
