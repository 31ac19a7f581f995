// What a file is by its first bytes, whatever it is called. Nothing here touches the page.

const ascii = (head, from, to) => String.fromCharCode(...head.slice(from, to));

/** Return a type by the first 32 bytes, "" where they say nothing. */
export function kindOf(head) {
  if (!head.length) return "empty";
  const [a, b, c] = head;
  if (a === 0x89 && ascii(head, 1, 4) === "PNG") return "image/png";
  if (a === 0xff && b === 0xd8 && c === 0xff) return "image/jpeg";
  if (ascii(head, 0, 4) === "GIF8") return "image/gif";
  if (ascii(head, 0, 4) === "RIFF") return { WEBP: "image/webp", WAVE: "audio/wav", "AVI ": "video/x-msvideo" }[ascii(head, 8, 12)] ?? "";
  if (ascii(head, 0, 4) === "fLaC") return "audio/flac";
  if (ascii(head, 0, 4) === "OggS") return "audio/ogg";
  if (ascii(head, 0, 3) === "ID3" || (a === 0xff && (b & 0xe6) === 0xe2)) return "audio/mpeg";
  if (ascii(head, 4, 8) === "ftyp") return /^(avif|heic|heix|mif1)/.test(ascii(head, 8, 12)) ? "image/avif" : "video/mp4";
  if (ascii(head, 0, 5) === "%PDF-") return "application/pdf";
  if (/^\s*<(!doctype|html|\?xml|svg)/i.test(ascii(head, 0, 32))) return "text/html";
  return "";
}

const KNOWN = { png: "image/png", jpg: "image/jpeg", jpeg: "image/jpeg", gif: "image/gif", webp: "image/webp", wav: "audio/wav", flac: "audio/flac" };

/** Say it where a file's name promises what its bytes aren't; "" otherwise. */
export function misnamed(file, kind) {
  if (kind === "empty") return `${file.name} is empty.`;
  const ending = file.name.split(".").pop().toLowerCase();
  const promised = KNOWN[ending];
  if (!promised || promised === kind) return "";
  const found = kind ? `its content is ${kind.split("/")[1].toUpperCase()}` : "its content isn’t one";
  return `The name says ${ending.toUpperCase()}, but ${found}.`;
}
