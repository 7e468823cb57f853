// Finds, sorts, pages and saves the rows of a table in a browser; without it the first page stands there, as it is saved.
const tools = this.parentElement, box = tools.nextElementSibling, table = box.querySelector('table'), body = table.tBodies[0];
const heads = [...table.tHead.rows[0].cells], order = new Intl.Collator(undefined, {numeric: true});
const [find, sort, csv, before, said, behind] = tools.querySelectorAll('input, button, span');
const cell = (text, i) => {
  const made = document.createElement(i ? 'td' : 'th');
  if (i) { made.dataset.name = heads[i].textContent; made.className = text.length < 17 ? 'short' : /\S{25}/.test(text) ? 'long' : ''; } else made.scope = 'row';
  made.textContent = text;
  return made;
};
const row = cells => { const made = document.createElement('tr'); made.append(...cells.map(cell)); return made; };
const size = body.rows.length;
let all = [...body.rows, ...JSON.parse(this.dataset.rows).map(row)], seen = all, at = 0;
const show = to => {
  at = to;
  body.replaceChildren(...seen.slice(at, at + size));
  said.textContent = seen.length ? `${at + 1} to ${Math.min(at + size, seen.length)} of ${seen.length}` : `none of ${all.length}`;
  before.disabled = at === 0; behind.disabled = at + size >= seen.length;
  before.hidden = behind.hidden = seen.length <= size;
  box.scrollTop = 0;
};
const sift = () => { const word = find.value.toLowerCase(); seen = all.filter(each => each.textContent.toLowerCase().includes(word)); show(0); };
const by = i => {
  const up = heads[i].getAttribute('aria-sort') !== 'ascending';
  heads.forEach(each => each.removeAttribute('aria-sort'));
  heads[i].setAttribute('aria-sort', up ? 'ascending' : 'descending');
  all.sort((x, y) => (up ? 1 : -1) * order.compare(x.cells[i].textContent, y.cells[i].textContent));
  sift();
};
// An inline handler's own URL is the document's address.
const quoted = each => { const text = each.textContent; return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`; };
find.oninput = sift;
before.onclick = () => show(at - size);
behind.onclick = () => show(at + size);
sort.onclick = () => {
  sort.disabled = true; sort.textContent = 'Click a column to sort';
  heads.forEach((each, i) => {
    each.tabIndex = 0; each.style.cursor = 'pointer'; each.onclick = () => by(i);
    each.onkeydown = key => { if (key.key === 'Enter' || key.key === ' ') { key.preventDefault(); by(i); } };
  });
  heads[0].focus();
};
csv.onclick = () => {
  const text = [{cells: heads}, ...seen].map(each => [...each.cells].map(quoted).join(',')).join('\r\n'), link = document.createElement('a');
  link.href = window.URL.createObjectURL(new Blob([text], {type: 'text/csv'})); link.download = 'rows.csv'; link.click();
  window.URL.revokeObjectURL(link.href);
};
tools.hidden = false;
show(0);
