/** The element with this id; the page's own HTML always has it. */
export const byId = id => document.getElementById(id)

/** An element of a class with children; strings become text nodes, never markup. */
export function element (tag, className, ...children) {
  const made = document.createElement(tag)
  made.className = className
  made.append(...children)
  return made
}

/** A coloured circle with the first letter; the same name has the same colour everywhere. */
export function paintAvatar (avatar, name, group = false) {
  let hash = 0
  for (const char of name) hash = (hash * 31 + char.codePointAt(0)) % 9973
  avatar.dataset.hue = String(hash % 6)
  avatar.classList.toggle('group', group)
  avatar.textContent = group ? '#' : name.slice(0, 1).toUpperCase()
}

/** 14:03, or with milliseconds 14:03:07.250, in the reader's own time zone. */
export function clock (ms, exact = false) {
  const time = new Date(ms)
  const two = number => String(number).padStart(2, '0')
  const minutes = `${two(time.getHours())}:${two(time.getMinutes())}`
  return exact ? `${minutes}:${two(time.getSeconds())}.${String(time.getMilliseconds()).padStart(3, '0')}` : minutes
}

export function isScrolledDown (list) {
  return list.scrollHeight - list.scrollTop - list.clientHeight < 60
}
