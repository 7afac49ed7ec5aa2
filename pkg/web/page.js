// Loads the page again when the node says that something has changed. Everything on it is
// there without this script.
'use strict';
(() => {
  document.documentElement.dataset.script = 'on';
  const live = (text) => {
    const at = document.getElementById('live');
    if (at) at.textContent = text;
  };
  let due = false;
  let loading = false;
  const load = async () => {
    if (loading || !due) return;
    // What somebody is writing must not go away.
    if (document.activeElement && document.activeElement.name === 'q') return;
    loading = true;
    due = false;
    try {
      const answer = await fetch(location.href, { credentials: 'same-origin', cache: 'no-store' });
      if (answer.ok) {
        const next = new DOMParser().parseFromString(await answer.text(), 'text/html');
        const main = next.getElementById('main');
        if (main) {
          document.getElementById('main').replaceWith(main);
          document.title = next.title;
          live(', live');
        }
      }
    } catch (_) {
      due = true;
    }
    loading = false;
  };
  const events = new EventSource('/events');
  events.onopen = () => live(', live');
  events.onerror = () => live(', the node does not answer');
  events.addEventListener('change', () => { due = true; load(); });
  setInterval(load, 1000);
})();
