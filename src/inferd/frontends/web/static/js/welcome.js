// The welcome page: its question opens a chat, its lines are copied.
import { intoClipboard } from "./ui.js";

const form = document.querySelector("[data-ask]");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  const question = form.elements["field.messages"].value;
  // An address alone asks nothing: it may be another site's link. This is the user's own word.
  sessionStorage.setItem("inferd.asked", question);
  location.assign(`/chat?${new URLSearchParams({ model: form.dataset.ask, q: question })}`);
});
form?.elements["field.messages"].addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  form.requestSubmit();
});

for (const button of document.querySelectorAll("[data-copy]")) {
  const name = button.getAttribute("aria-label");
  button.addEventListener("click", async () => {
    await intoClipboard(button.parentElement.querySelector("code").textContent);
    const use = button.querySelector("use");
    use.setAttribute("href", "#check");
    button.setAttribute("aria-label", "Copied");
    setTimeout(() => { use.setAttribute("href", "#copy"); button.setAttribute("aria-label", name); }, 2000);
  });
}
