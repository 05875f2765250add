// Asking before something that cannot be taken back.

const dialog = document.getElementById("confirm");

/** Show the dialog; resolves to true if the person said yes. Escape and "Go back" say no. */
export function confirmed({ title, text, yes }) {
  document.getElementById("confirm-title").textContent = title;
  document.getElementById("confirm-text").textContent = text;
  document.getElementById("confirm-yes").textContent = yes;
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
