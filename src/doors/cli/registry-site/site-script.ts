/** What the script uses of an element. */
export interface SiteElement {
  hidden: boolean;
  value: string;
  textContent: string | null;
  readonly tagName: string;
  readonly dataset: Readonly<Record<string, string | undefined>>;
  focus(): void;
  addEventListener(type: string, listener: (event: SiteEvent) => void): void;
}

export interface SiteEvent {
  readonly key?: string;
  readonly ctrlKey?: boolean;
  readonly metaKey?: boolean;
  preventDefault(): void;
}

export interface SiteDocument {
  readonly activeElement: SiteElement | null;
  getElementById(id: string): SiteElement | null;
  querySelectorAll(selector: string): Iterable<SiteElement>;
  addEventListener(type: string, listener: (event: SiteEvent) => void): void;
}

export interface SiteWindow {
  readonly navigator: { readonly clipboard?: { writeText(text: string): Promise<void> } };
}

/**
 * What the pages do beyond links and forms: the list is narrowed while one types, lines are copied. Written into the page as text, so nothing outside of it may be named in it.
 */
export function siteScript(document: SiteDocument, window: SiteWindow): void {
  const { clipboard } = window.navigator;
  if (clipboard)
    for (const button of document.querySelectorAll('.copy')) {
      button.hidden = false;
      const label = button.textContent;
      button.addEventListener('click', () => {
        const said = (text: string | null): void => {
          button.textContent = text;
        };
        clipboard.writeText(button.dataset['copy'] ?? '').then(
          () => said('Copied'),
          () => said('No right'),
        );
        button.addEventListener('blur', () => said(label));
      });
    }
  const search = document.getElementById('q');
  const found = document.getElementById('found');
  if (!search || !found) return;
  const registry = document.getElementById('registry');
  const rows = [...document.querySelectorAll('.result')];
  const total = Number(found.dataset['total']);
  const texts = rows.map((row) => (row.textContent ?? '').toLowerCase());
  const narrow = (): void => {
    const words = search.value
      .toLowerCase()
      .split(/[\s/]+/)
      .filter((word) => word !== '');
    let count = 0;
    for (const [at, row] of rows.entries()) {
      const fits =
        words.every((word) => (texts[at] ?? '').includes(word)) &&
        (!registry || registry.value === '' || (row.dataset['registries'] ?? '').split(' ').includes(registry.value));
      row.hidden = !fits;
      if (fits) count += 1;
    }
    const isAll = words.length === 0 && (!registry || registry.value === '');
    const all = total > rows.length ? ' on this page; Enter searches all' : '';
    found.textContent = isAll && all === '' ? `${count} buildpacks` : `${count} of ${rows.length}${all}`;
  };
  search.addEventListener('input', narrow);
  registry?.addEventListener('input', narrow);
  document.addEventListener('keydown', (event) => {
    const isTyping = /^(?:INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? '');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === 'Escape' && document.activeElement === search) {
      search.value = '';
      narrow();
    }
  });
}
