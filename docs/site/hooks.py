"""What mkdocs is told beside mkdocs.yml: the pages outside docs/, and formulas as MathML."""

import pathlib
import re

from latex2mathml import converter
from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
PAGES = {
    'README.md': 'index.md', 'CONTRIBUTING.md': 'contributing.md', 'CHANGELOG.md': 'changelog.md'
}  # fmt: skip
RESULTS = '## Results\n', '## More\n'  # of the README: a page of its own


def formula(source, language, css_class, options, md, **others):
    """A block ```math as MathML; GitHub renders these blocks itself."""
    return f'<div class="formula">{converter.convert(source.strip(), display="block")}</div>'


def on_config(config):
    """Formulas go to `formula`."""
    fence = {'name': 'math', 'class': 'math', 'format': formula}
    config.mdx_configs.setdefault('pymdownx.superfences', {})['custom_fences'] = [fence]
    return config


def linked(text):
    """A page from the root with links as they are in the site; what is no part of it is named."""

    def link(match):
        picture, words, target = match.groups()
        page, hash_, anchor = target.partition('#')
        if page.startswith('docs/'):
            words = words.removeprefix('docs/').removesuffix('.md')
            return f'{picture}[{words}]({target.removeprefix("docs/")})'
        if page in PAGES:
            return f'[{words}]({PAGES[page]}{hash_}{anchor})'
        return words if page and (ROOT / page).exists() else match[0]

    return re.sub(r'(!?)\[([^\]\[]*)\]\(([^)\s]+)\)', link, text)


def split(readme):
    """(the README without its results, these as a page of their own)."""
    begin, end = map(readme.index, RESULTS)
    moved = f'{RESULTS[0]}\n[Results and speed](results.md): figures, tables and pictures.\n\n'
    return readme[:begin] + moved + readme[end:], f'# Results and speed\n\n{readme[begin:end]}'


def on_files(files, config):
    """Adds the pages that lie outside docs/, as they are there."""
    pages = {place: linked((ROOT / name).read_text()) for name, place in PAGES.items()}
    pages['index.md'], pages['results.md'] = split(pages['index.md'])
    for place, text in pages.items():
        files.append(File.generated(config, place, content=text))
    return files


def on_page_markdown(markdown, page, config, files):
    """Links from docs/ to pages at the root lead to what these are here."""
    for name, place in PAGES.items():
        markdown = re.sub(rf'\]\(\.\./((?:\.\./)?){re.escape(name)}', rf'](\1{place}', markdown)
    return markdown
