import type { JSX } from 'preact';
import { moveByArrows } from './arrow-keys.js';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

interface Props<Item> {
  readonly label: string;
  readonly items: readonly Item[];
  readonly keyOf: (item: Item) => string;
  readonly render: (item: Item) => JSX.Element;
  readonly rowHeight: number;
}

/** Rows shown beyond what is seen, so that scrolling finds them there. */
const AHEAD = 8;

/** A list of rows of one height, of which only those are made that are seen. */
export function VirtualList<Item>({ label, items, keyOf, render, rowHeight }: Props<Item>): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState({ top: 0, height: 600 });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const look = (): void => setSeen({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener('scroll', look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', look);
    };
  }, []);
  const first = Math.max(0, Math.min(Math.floor(seen.top / rowHeight) - AHEAD, items.length - 1));
  const last = Math.min(items.length, Math.ceil((seen.top + seen.height) / rowHeight) + AHEAD);
  return (
    <div
      class="list"
      ref={box}
      tabIndex={0}
      role="region"
      aria-label={label}
      onKeyDown={(event) => moveByArrows(event)}
    >
      <div role="list" class="list-all" style={{ height: `${items.length * rowHeight}px` }}>
        {items.slice(first, last).map((item, at) => (
          <div
            role="listitem"
            key={keyOf(item)}
            class="list-row"
            aria-setsize={items.length}
            aria-posinset={first + at + 1}
            style={{ height: `${rowHeight}px`, transform: `translateY(${(first + at) * rowHeight}px)` }}
          >
            {render(item)}
          </div>
        ))}
      </div>
    </div>
  );
}
