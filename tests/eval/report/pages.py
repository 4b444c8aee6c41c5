"""What a written page holds, read with Python's own parser."""

import base64
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cv2
import numpy as np

VOID = ("meta", "link", "img", "source", "br", "path")


@dataclass
class Element:
    """An element with its attributes and what is inside: elements and text."""

    tag: str
    attributes: dict
    inside: list = field(default_factory=list)

    def all(self, tag=None, of_class=None):
        """Elements inside, in order, at any depth."""
        for each in self.inside:
            if isinstance(each, Element):
                classes = (each.attributes.get("class") or "").split()
                if tag in (None, each.tag) and (of_class is None or of_class in classes):
                    yield each
                yield from each.all(tag, of_class)

    @property
    def text(self):
        """All text inside, with single spaces."""
        whole = "".join(each if isinstance(each, str) else f" {each.text} " for each in self.inside)
        return " ".join(whole.split())

    @property
    def picture(self):
        """The picture that an img holds, uint8 BGR."""
        content = base64.b64decode(self.attributes["src"].partition("base64,")[2])
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)


class _Parser(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open = [Element("", {})]

    def handle_starttag(self, tag, attributes):
        element = Element(tag, dict(attributes))
        self.open[-1].inside.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.open[-1].inside.append(Element(tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop().tag == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        self.open[-1].inside.append(data)


def read(path):
    """The page as an element; fails where an element is closed that is not the innermost open one."""
    parser = _Parser()
    parser.feed(path.read_text("utf-8"))
    assert len(parser.open) == 1
    return parser.open[0]
