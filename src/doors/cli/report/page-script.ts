/** What the page's script uses of an element. */
export interface PageElement {
  hidden: boolean;
  open: boolean;
  value: string;
  textContent: string | null;
  readonly tagName: string;
  readonly dataset: Readonly<Record<string, string | undefined>>;
  readonly firstChild: unknown;
  closest(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  scrollIntoView(): void;
  focus(): void;
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
}

export interface PageEvent {
  readonly key?: string;
  readonly ctrlKey?: boolean;
  readonly metaKey?: boolean;
  readonly target: unknown;
  preventDefault(): void;
}

interface PageRange {
  setStart(node: unknown, at: number): void;
  setEnd(node: unknown, at: number): void;
}

export interface PageDocument {
  readonly activeElement: PageElement | null;
  getElementById(id: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  createRange(): PageRange;
  createTreeWalker(root: unknown, what: number): { nextNode(): { readonly data: string } | null };
  addEventListener(type: string, listener: (event: PageEvent) => void): void;
}

export interface PageWindow {
  readonly location: { readonly hash: string };
  readonly CSS?: { readonly highlights?: Map<string, unknown> };
  readonly Highlight?: new (...ranges: readonly PageRange[]) => unknown;
  addEventListener(type: string, listener: () => void): void;
}

/**
 * What the page does: search among the steps, open and close them, open the one that a link leads to, and all on paper. Written into the page as text, so nothing outside of it may be named in it.
 */
export function pageScript(document: PageDocument, window: PageWindow): void {
  const steps = [...document.querySelectorAll('.step')];
  const search = document.getElementById('search');
  const show = document.getElementById('show');
  const found = document.getElementById('found');
  if (!search || !show || !found) return;
  for (const tools of document.querySelectorAll('.tools')) tools.hidden = false;

  const openTarget = (): void => {
    const target = document.getElementById(decodeURIComponent(window.location.hash.slice(1)));
    const step = target?.closest('details');
    if (step) step.open = true;
    target?.scrollIntoView();
  };
  // Each on its own: most pages are small, and texts do not change.
  const texts = steps.map((step) => (step.textContent ?? '').toLowerCase());
  const opened = new Set<PageElement>();
  const select = (): void => {
    const words = search.value.toLowerCase().trim();
    let count = 0;
    for (const [at, step] of steps.entries()) {
      const fits = (show.value === '' || step.dataset['state'] === show.value) && (texts[at] ?? '').includes(words);
      step.hidden = !fits;
      if (fits) count += 1;
      if (fits && words !== '' && !step.open) {
        step.open = true;
        opened.add(step);
      }
      if (words === '' && opened.delete(step)) step.open = false;
    }
    found.textContent = words === '' && show.value === '' ? '' : `${count} of ${steps.length} steps`;
    highlight(words);
  };
  const highlight = (words: string): void => {
    const { CSS, Highlight } = window;
    if (!CSS?.highlights || !Highlight) return;
    const ranges: PageRange[] = [];
    for (const step of words === '' ? [] : steps) {
      if (step.hidden) continue;
      const walker = document.createTreeWalker(step, 4);
      for (let node = walker.nextNode(); node && ranges.length < 5000; node = walker.nextNode()) {
        const text = node.data.toLowerCase();
        for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + words.length)) {
          const range = document.createRange();
          range.setStart(node, at);
          range.setEnd(node, Math.min(node.data.length, at + words.length));
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set('found', new Highlight(...ranges));
  };
  const openAll = (open: boolean): void => {
    opened.clear();
    for (const step of steps) if (!step.hidden) step.open = open;
  };
  let closed: PageElement[] = [];

  search.addEventListener('input', select);
  show.addEventListener('input', select);
  document.getElementById('open-all')?.addEventListener('click', () => openAll(true));
  document.getElementById('close-all')?.addEventListener('click', () => openAll(false));
  document.addEventListener('keydown', (event) => {
    const isTyping = /^(?:INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? '');
    if (event.key === '/' && !isTyping && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      search.focus();
    }
    if (event.key === 'Escape' && document.activeElement === search) {
      search.value = '';
      select();
    }
  });
  window.addEventListener('hashchange', openTarget);
  window.addEventListener('beforeprint', () => {
    closed = [...document.querySelectorAll('details')].filter((one) => !one.open);
    for (const one of closed) one.open = true;
  });
  window.addEventListener('afterprint', () => {
    for (const one of closed) one.open = false;
  });
  if (window.location.hash !== '') openTarget();
}
