// Runs before paint, so that a page never flashes the wrong theme. A classic script: modules wait.
{
  const root = document.documentElement;
  root.classList.add("scripted");
  const asked = new URLSearchParams(location.search).get("theme") ?? localStorage.getItem("inferd.theme");
  if (asked === "light" || asked === "dark") root.dataset.theme = asked;
  addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    const systemDark = matchMedia("(prefers-color-scheme: dark)").matches;
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : systemDark;
    root.dataset.theme = dark ? "light" : "dark";
    localStorage.setItem("inferd.theme", root.dataset.theme);
    dispatchEvent(new Event("themechange"));
  });
}
