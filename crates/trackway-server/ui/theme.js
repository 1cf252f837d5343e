// Sets the theme before anything is painted, so that a dark page never flashes white. A classic script on purpose: modules run late.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("trackway.theme"); } catch { /* storage may be forbidden */ }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    document.dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  window.trackwayTheme = {
    toggle() {
      chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      // What the system says again is not worth keeping: the page follows it then.
      if (chosen === (dark.matches ? "dark" : "light")) chosen = null;
      try {
        if (chosen) localStorage.setItem("trackway.theme", chosen);
        else localStorage.removeItem("trackway.theme");
      } catch { /* it lasts as long as the page then */ }
      apply();
    },
  };
  apply();
})();
