// A file as an answer: looked at, listened to, or saved.
import { html, useState } from "../../lib.js";
import { bytes } from "../../words.js";
import { useObjectUrl } from "../files.js";

export function Media({ blob, task }) {
  const url = useObjectUrl(blob);
  const [size, setSize] = useState("");
  const [isBroken, setBroken] = useState(false);
  const kind = blob.type.split("/")[0];
  const facts = html`<p class="t3 s num">${[blob.type || "a file", size, bytes(blob.size)].filter(Boolean).join(" · ")}</p>`;
  const fail = () => setBroken(true);
  if (!url) return null;
  if (isBroken) return html`<p class="t2">This browser can’t show it. Save it to look at it elsewhere.</p>${facts}`;
  if (kind === "image") return html`<figure class="shot"><img src=${url} alt="Result of ${task.name}" onError=${fail} onLoad=${({ currentTarget: { naturalWidth, naturalHeight } }) => setSize(`${naturalWidth} × ${naturalHeight}`)} /></figure>${facts}`;
  if (kind === "audio") return html`<audio controls src=${url} onError=${fail} aria-label="Result"></audio>${facts}`;
  if (kind === "video") return html`<video controls src=${url} onError=${fail} aria-label="Result"></video>${facts}`;
  return html`<p class="t2">A file. Save it to open it.</p>${facts}`;
}
