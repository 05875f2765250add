"""A transcript as a Word document (Office Open XML), written as it is: six small parts in a zip.

Source: ECMA-376 part 1, sections 17 (WordprocessingML) and 15.2; https://ecma-international.org/publications-and-standards/standards/ecma-376/
"""

import io
import zipfile
from collections.abc import Mapping
from xml.sax.saxutils import escape

from shared.transcript.paragraphs import Paragraph, paragraphs
from shared.transcript.schema import Transcript
from shared.transcript.wording import called, clean, clock

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml"

_CONTENT_TYPES = f"""{_HEAD}<Types xmlns="{_PACKAGE}/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/>
<Override PartName="/word/document.xml" ContentType="{_TYPE}.document.main+xml"/>
<Override PartName="/word/styles.xml" ContentType="{_TYPE}.styles+xml"/>
<Override PartName="/docProps/core.xml" ContentType="application/vnd.openxmlformats-package.core-properties+xml"/>
</Types>"""
_ROOT = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="word/document.xml"/>
<Relationship Id="rId2" Type="{_PACKAGE}/relationships/metadata/core-properties" Target="docProps/core.xml"/>
</Relationships>"""
_RELATIONS = f"""{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">
<Relationship Id="rId1" Type="{_OFFICE}/styles" Target="styles.xml"/>
</Relationships>"""
#: Sizes are half points, spaces twentieths of a point.
_STYLES = f"""{_HEAD}<w:styles xmlns:w="{_W}"><w:docDefaults><w:rPrDefault><w:rPr>
<w:rFonts w:ascii="Calibri" w:hAnsi="Calibri" w:cs="Calibri"/><w:sz w:val="22"/><w:szCs w:val="22"/>
<w:lang w:val="{{}}"/></w:rPr></w:rPrDefault><w:pPrDefault><w:pPr>
<w:spacing w:after="160" w:line="276" w:lineRule="auto"/></w:pPr></w:pPrDefault></w:docDefaults>
<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/><w:qFormat/></w:style>
<w:style w:type="paragraph" w:styleId="Title"><w:name w:val="Title"/><w:basedOn w:val="Normal"/><w:next w:val="Normal"/>
<w:qFormat/><w:rPr><w:b/><w:sz w:val="36"/><w:szCs w:val="36"/></w:rPr></w:style>
<w:style w:type="paragraph" w:styleId="Heading2"><w:name w:val="heading 2"/><w:basedOn w:val="Normal"/>
<w:next w:val="Normal"/><w:qFormat/><w:pPr><w:keepNext/><w:spacing w:before="240" w:after="40"/>
<w:outlineLvl w:val="1"/></w:pPr><w:rPr><w:b/></w:rPr></w:style>
<w:style w:type="character" w:customStyle="1" w:styleId="Time"><w:name w:val="Time"/>
<w:rPr><w:b w:val="0"/><w:color w:val="606060"/><w:sz w:val="18"/><w:szCs w:val="18"/></w:rPr></w:style>
</w:styles>"""
#: A4 with margins of an inch.
_PAGE = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/>'
    '<w:pgMar w:top="1440" w:right="1440" w:bottom="1440" w:left="1440" w:header="720" w:footer="720"'
    ' w:gutter="0"/></w:sectPr>'
)
#: The earliest that a zip can tell: the same transcript gives the same bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def docx(transcript: Transcript, names: Mapping[str, str], title: str = "Transcript") -> bytes:
    """Write a document: a heading with speaker and time for each paragraph; ``names`` maps labels to names."""
    title = clean(title)
    body = [_paragraph(_run(title), "Title")]
    for paragraph in paragraphs(transcript):
        body += [_paragraph(_heading(paragraph, names), "Heading2"), _paragraph(_run(paragraph.text))]
    document = f'{_HEAD}<w:document xmlns:w="{_W}"><w:body>{"".join(body)}{_PAGE}</w:body></w:document>'
    language = "en" if transcript.task == "translate" else clean(transcript.language)
    core = (
        f'{_HEAD}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{escape(title)}</dc:title>'
        f"<dc:language>{escape(language)}</dc:language></cp:coreProperties>"
    )
    return _zipped({
        "[Content_Types].xml": _CONTENT_TYPES,
        "_rels/.rels": _ROOT,
        "word/document.xml": document,
        "word/_rels/document.xml.rels": _RELATIONS,
        "word/styles.xml": _STYLES.format(escape(language, {'"': "&quot;"})),
        "docProps/core.xml": core,
    })  # fmt: skip


def _heading(paragraph: Paragraph, names: Mapping[str, str]) -> str:
    time = _run(clock(paragraph.start), "Time")
    return f"{_run(called(paragraph.speaker, names) + '  ')}{time}" if paragraph.speaker else time


def _run(text: str, style: str = "") -> str:
    properties = f'<w:rPr><w:rStyle w:val="{style}"/></w:rPr>' if style else ""
    return f'<w:r>{properties}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>'


def _paragraph(runs: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f"<w:p>{properties}{runs}</w:p>"


def _zipped(parts: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as package:
        for name, content in parts.items():
            entry = zipfile.ZipInfo(name, _NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            package.writestr(entry, content.encode())
    return packed.getvalue()
