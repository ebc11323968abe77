// Runs before the first paint, so that a chosen theme and language never flash the other one. Classic script on purpose.
(() => {
  try {
    const theme = localStorage.getItem('cc.theme');
    if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
    const language = localStorage.getItem('cc.language') || (navigator.language || 'en').slice(0, 2);
    document.documentElement.lang = language === 'fr' ? 'fr' : 'en';
  } catch {
    // Storage may be forbidden; the system's wishes hold then.
  }
})();
