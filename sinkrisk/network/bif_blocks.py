"""The blocks of a BIF file: its text cut into words and marks, and these into variables and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sinkrisk.errors import InputError, Problem, Problems

PURPOSE = "BIF file"
_TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<quoted>"[^"]*")
    |(?P<mark>[{}()\[\],;|])
    |(?P<word>(?:(?!//|/\*)[^\s{}()\[\],;|"])+)
    |(?P<wrong>.)""",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Token:
    """A word, a quoted text or a mark of punctuation, and its line."""

    text: str
    line: int
    mark: bool = False


@dataclass
class Variable:
    """One variable block: a node's name and states."""

    name: str
    line: int
    states: list[str] = field(default_factory=list)


@dataclass
class Block:
    """One probability block: a table, or rows by parents' states, or a default for the rest."""

    name: str
    line: int
    parents: list[str]
    table: list[Token] | None = None
    default: list[Token] | None = None
    rows: list[tuple[list[str], list[Token], int]] = field(default_factory=list)


def cut(text: str, found: Problems) -> list[Token]:
    """Return the words and marks of a text, comments left out; raise at what is never closed.

    Examples
    --------
    >>> [token.text for token in cut('table 0.5, // half', Problems())]
    ['table', '0.5', ',']
    """
    tokens: list[Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        piece = match[0]
        if match.lastgroup == "wrong":
            found.add(f"{PURPOSE}: a quote or a comment that is not closed", row=line)
            found.raise_if_any()
        if match.lastgroup != "blank":
            plain = piece[1:-1].strip() if match.lastgroup == "quoted" else piece
            tokens.append(Token(plain, line, match.lastgroup == "mark"))
        line += piece.count("\n")
    return tokens


class BlockReader:
    """Reads the blocks of a file one token at a time.

    Parameters
    ----------
    tokens : list of Token
    found : Problems
        Takes faults after which reading can go on; the first that breaks a block is raised.
    """

    def __init__(self, tokens: list[Token], found: Problems) -> None:
        self.tokens, self.found, self.at = tokens, found, 0
        self.name = "network"
        self.variables: list[Variable] = []
        self.blocks: list[Block] = []

    def read(self) -> None:
        """Read all blocks into `name`, `variables` and `blocks`."""
        while self.at < len(self.tokens):
            word = self.take()
            if word.text == "network" and not word.mark:
                names = self.until("{")
                self.name = " ".join(token.text for token in names) or "network"
                self.until("}")
            elif word.text == "variable" and not word.mark:
                self.variable(word.line)
            elif word.text == "probability" and not word.mark:
                self.probability(word.line)
            else:
                self.broken(word, "network, variable or probability")

    def take(self) -> Token:
        """Return the next token and step past it."""
        if self.at == len(self.tokens):
            last = self.tokens[-1].line if self.tokens else 1
            raise InputError(Problem(f"{PURPOSE}: ends within a block", file=self.found.file, row=last))
        self.at += 1
        return self.tokens[self.at - 1]

    def broken(self, token: Token, allowed: str) -> None:
        """Raise: a token that cannot stand here."""
        raise InputError(
            Problem(
                f"{PURPOSE}: not understood",
                got=token.text,
                allowed=allowed,
                file=self.found.file,
                row=token.line,
            )
        )

    def expect(self, mark: str) -> Token:
        """Step past a mark that must come next."""
        token = self.take()
        if not token.mark or token.text != mark:
            self.broken(token, f"'{mark}'")
        return token

    def until(self, mark: str, *, stop: str = "") -> list[Token]:
        """Return the tokens before a mark and step past it; the marks in `stop` may not come before."""
        found: list[Token] = []
        while True:
            token = self.take()
            if token.mark and token.text == mark:
                return found
            if token.mark and token.text in stop:
                self.broken(token, f"'{mark}'")
            found.append(token)

    def variable(self, line: int) -> None:
        """Read the rest of a variable block."""
        names = self.until("{", stop="};")
        variable = Variable(self.one_name(names, line), line)
        self.variables.append(variable)
        while True:
            word = self.take()
            if word.mark and word.text == "}":
                return
            if word.text == "property":
                self.until(";")
                continue
            if word.text != "type":
                self.broken(word, "type, property or '}'")
            kind = self.take()
            if kind.text != "discrete":
                self.found.add(
                    f"node '{variable.name}': type of variable",
                    got=kind.text,
                    allowed=("discrete",),
                    row=kind.line,
                    key=variable.name,
                )
            self.expect("[")
            size = self.take()
            self.expect("]")
            self.expect("{")
            variable.states = _items(self.until("}", stop="{;"))
            self.expect(";")
            if size.text != str(len(variable.states)):
                self.found.add(
                    f"node '{variable.name}': number of states",
                    got=size.text,
                    allowed=f"{len(variable.states)}, as many as are listed",
                    row=size.line,
                    key=variable.name,
                )

    def one_name(self, tokens: list[Token], line: int) -> str:
        """Return the one word (or quoted text) that names a node."""
        if len(tokens) != 1 or tokens[0].mark:
            raise InputError(
                Problem(
                    f"{PURPOSE}: name of a node",
                    got=" ".join(token.text for token in tokens),
                    allowed="one word, or several in quotes",
                    file=self.found.file,
                    row=line,
                )
            )
        return tokens[0].text

    def probability(self, line: int) -> None:
        """Read the rest of a probability block."""
        self.expect("(")
        head = self.until(")", stop="{};")
        bar = next((index for index, token in enumerate(head) if token.mark and token.text == "|"), None)
        if bar is None:
            # Without a bar the first name is the node and the others are its parents.
            names = [token.text for token in head if not token.mark]
            block = Block(names[0] if names else self.one_name(head, line), line, names[1:])
        else:
            block = Block(self.one_name(head[:bar], line), line, [])
            for group in _groups(head[bar + 1 :]):
                block.parents.append(self.one_name(group, line))
        self.blocks.append(block)
        self.expect("{")
        while True:
            word = self.take()
            if word.mark and word.text == "}":
                return
            if word.text == "property" and not word.mark:
                self.until(";")
            elif word.text in ("table", "default") and not word.mark:
                if getattr(block, word.text) is not None:
                    self.found.add(
                        f"node '{block.name}': '{word.text}' given twice", row=word.line, key=block.name
                    )
                setattr(block, word.text, self.until(";", stop="{}()"))
            elif word.mark and word.text == "(":
                given = _items(self.until(")", stop="{};("))
                block.rows.append((given, self.until(";", stop="{}()"), word.line))
            else:
                self.broken(word, "table, default, a row in brackets or '}'")


def _groups(tokens: list[Token]) -> list[list[Token]]:
    """Tokens between commas; without any comma each token is a group of its own."""
    if not any(token.mark and token.text == "," for token in tokens):
        return [[token] for token in tokens]
    groups: list[list[Token]] = [[]]
    for token in tokens:
        if token.mark and token.text == ",":
            groups.append([])
        else:
            groups[-1].append(token)
    return [group for group in groups if group]


def _items(tokens: list[Token]) -> list[str]:
    return [" ".join(token.text for token in group) for group in _groups(tokens)]
