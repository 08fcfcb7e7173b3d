// What Gradio's components have no keys for, and what they forget: run once, when the page opens.
() => {
  const STEPS = {ArrowLeft: -0.02, ArrowRight: 0.02, ArrowDown: -0.02, ArrowUp: 0.02, PageDown: -0.1, PageUp: 0.1,
    Home: -1, End: 1};
  const DIVIDER = '[data-testid="slider"]';

  // Where a picture lies in its frame, in pixels of the frame: it is fitted into it whole.
  function shown(frame) {
    const image = frame.querySelector('img'), box = frame.getBoundingClientRect();
    const width = Math.min(box.width, box.height * image.naturalWidth / image.naturalHeight);
    return {left: (box.width - width) / 2, width, frame: box};
  }

  function share(divider) {
    const place = shown(divider.parentElement), x = new DOMMatrix(getComputedStyle(divider).transform).e;
    return Math.min(Math.max((x - place.left) / place.width, 0), 1);
  }

  // The divider follows the mouse, so a key is said to it as a press there.
  function move(divider, to) {
    const place = shown(divider.parentElement), at = Math.min(Math.max(to, 0), 1);
    const mouse = {view: window, bubbles: true, cancelable: true, button: 0,
      clientX: place.frame.left + place.left + at * place.width, clientY: place.frame.top + place.frame.height / 2};
    divider.dispatchEvent(new MouseEvent('mousedown', mouse));
    window.dispatchEvent(new MouseEvent('mouseup', mouse));
    divider.setAttribute('aria-valuenow', Math.round(100 * at));
  }

  document.addEventListener('keydown', event => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
      const start = [...document.querySelectorAll('button.starts')].find(one => one.checkVisibility());
      if (!start) return;
      event.preventDefault();
      start.click();
    } else if (event.target.matches?.(DIVIDER) && event.key in STEPS) {
      event.preventDefault();
      move(event.target, share(event.target) + STEPS[event.key]);
    }
  }, true);

  // What cannot be undone is asked about.
  document.addEventListener('click', event => {
    const button = event.target.closest?.('button.confirmed');
    if (button && !confirm(`${button.innerText.trim()}? This cannot be undone.`)) event.stopImmediatePropagation();
  }, true);

  // A folded part that its reader opened stays open when its text is written anew.
  const open = new Set();
  document.addEventListener('toggle', event => {
    const kept = event.target.dataset?.kept;
    if (kept) open[event.target.open ? 'add' : 'delete'](kept);
  }, true);

  function dress() {
    for (const part of document.querySelectorAll('details[data-kept]:not([open])')) {
      if (open.has(part.dataset.kept)) part.open = true;
    }
    // In a column that scrolls by itself browsers begin to load only what is in sight already.
    for (const picture of document.querySelectorAll('#hires-tab img[loading="lazy"]')) picture.loading = 'eager';
    for (const divider of document.querySelectorAll(`${DIVIDER}:not([tabindex])`)) {
      divider.tabIndex = 0;
      divider.setAttribute('role', 'slider');
      divider.setAttribute('aria-label', 'Divider between the two pictures');
      divider.setAttribute('aria-valuemin', 0);
      divider.setAttribute('aria-valuemax', 100);
      divider.setAttribute('aria-valuenow', 50);
    }
  }
  new MutationObserver(dress).observe(document.body, {childList: true, subtree: true});
  dress();
}
