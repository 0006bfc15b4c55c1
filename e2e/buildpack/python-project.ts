/** Files of a project with a build backend of its own, which needs nothing from an index (PEP 517): the module `mine`, and the program `mine`, which prints a word. */
export function pythonProject({ requires }: { readonly requires?: string } = {}): Readonly<Record<string, string>> {
  const metadata = `Metadata-Version: 2.1\\nName: mine\\nVersion: 2.0\\n${requires === undefined ? '' : `Requires-Dist: ${requires}\\n`}`;
  return {
    'pyproject.toml': `[project]
name = "mine"
version = "2.0"
[build-system]
requires = []
build-backend = "backend"
backend-path = ["tools"]
`,
    'main.py': 'import mine\nmine.say()\n',
    'tools/backend.py': `import os, zipfile
FILES = {
    "mine.py": "def say():\\n    print('a word of mine')\\n",
    "mine-2.0.dist-info/METADATA": "${metadata}",
    "mine-2.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nGenerator: hand\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "mine-2.0.dist-info/entry_points.txt": "[console_scripts]\\nmine = mine:say\\n",
    "mine-2.0.dist-info/RECORD": "",
}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "mine-2.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
    return name
`,
  };
}
