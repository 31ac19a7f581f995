// Text files that go with a question, quoted. Nothing here says that it reads pictures, so none are taken.

/** One file may hold so many characters, and one question so many files. */
export const MOST_CHARS = 100_000;
export const MOST_FILES = 5;

/**
 * Read a file as text.
 * @param {File} file
 * @returns {Promise<{name: string, text: string}>}
 * @throws {Error} with words for people, when it isn't text or is too long
 */
export async function readText(file) {
  if (file.size > MOST_CHARS * 4) throw new Error(`${file.name} is too long. The most is ${MOST_CHARS / 1000}k characters.`);
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer());
  } catch {
    throw new Error(`${file.name} isn’t a text file. Chat takes text files only.`);
  }
  if (text.includes("\0")) throw new Error(`${file.name} isn’t a text file. Chat takes text files only.`);
  if (text.length > MOST_CHARS) throw new Error(`${file.name} is too long. The most is ${MOST_CHARS / 1000}k characters.`);
  return { name: file.name.replace(/[\r\n`]/g, " ").slice(0, 120), text };
}
