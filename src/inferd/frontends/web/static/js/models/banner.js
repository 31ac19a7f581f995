// Classic, right after the banner: one that was sent away once isn't drawn again.
{
  const banner = document.getElementById("banner");
  const gone = "inferd.banner.gone";
  if (localStorage.getItem(gone)) banner.remove();
  banner.querySelector("[data-dismiss]").addEventListener("click", () => {
    localStorage.setItem(gone, "1");
    banner.remove();
    document.getElementById("main").focus();
  });
}
