// Asking before something that is large or cannot be taken back.

const dialog = document.getElementById("confirm");

/** Show the dialog; resolves to true if the person said yes. Escape and "Go back" say no. `harmless`: yes is not red. */
export function confirmed({ title, text, yes, harmless = false }) {
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  const button = document.getElementById("confirm-yes");
  button.textContent = yes;
  button.className = harmless ? "button button-primary" : "button button-danger";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    const closed = () => {
      if (dialog.open) return; // the event of the time before: it comes late, and the dialog is open again
      dialog.removeEventListener("close", closed);
      resolve(dialog.returnValue === "yes");
    };
    dialog.addEventListener("close", closed);
  });
}
