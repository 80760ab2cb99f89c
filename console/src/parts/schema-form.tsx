import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import type { RequestFault } from '../model/request-faults.js';

interface Field {
  readonly type?: unknown;
  readonly enum?: readonly unknown[];
  readonly title?: unknown;
  readonly description?: unknown;
  readonly default?: unknown;
}

interface Props {
  readonly schema: unknown;
  readonly value: Readonly<Record<string, unknown>> | undefined;
  readonly faults: readonly RequestFault[];
  /** What the ids of its fields begin with: another word for each form of a page. */
  readonly name?: string;
  readonly onChange: (value: Record<string, unknown>) => void;
}

/** The fields of a request, as the schema names them. What is no text, number or choice is written as JSON. */
export function SchemaForm({ schema, value, faults, name: form = 'field', onChange }: Props): JSX.Element {
  const fields = fieldsOf(schema);
  const required = requiredOf(schema);
  if (value === undefined)
    return <p class="faint">The form comes back when the JSON beside it is an object again.</p>;
  if (fields.length === 0) return <p class="faint">The schema names no fields. Write the request as JSON.</p>;
  const set = (name: string, changed: unknown): void => {
    const { [name]: _, ...rest } = value;
    onChange(changed === undefined ? rest : { ...value, [name]: changed });
  };
  return (
    <div class="form">
      {fields.map(([name, field]) => {
        const own = Object.hasOwn(value, name) ? value[name] : undefined;
        const wrong = faults.filter(({ at }) => at === `/${name}` || at.startsWith(`/${name}/`));
        return (
          <FieldRow
            key={name}
            id={`${form}-${name}`}
            name={name}
            field={field}
            value={own}
            isRequired={required.has(name)}
            wrong={wrong}
            onChange={(changed) => set(name, changed)}
          />
        );
      })}
    </div>
  );
}

interface RowProps {
  readonly id: string;
  readonly name: string;
  readonly field: Field;
  readonly value: unknown;
  readonly isRequired: boolean;
  readonly wrong: readonly RequestFault[];
  readonly onChange: (value: unknown) => void;
}

function FieldRow({ id, name, field, value, isRequired, wrong, onChange }: RowProps): JSX.Element {
  const about = typeof field.description === 'string' ? field.description : '';
  const described = [about === '' ? '' : `${id}-about`, wrong.length > 0 ? `${id}-wrong` : ''].filter(
    Boolean,
  );
  const shared = {
    id,
    'aria-describedby': described.join(' ') || undefined,
    'aria-invalid': wrong.length > 0,
    'aria-required': isRequired,
  };
  return (
    <div class="field">
      <label for={id}>
        {name}
        {isRequired && <span class="faint"> (required)</span>}
      </label>
      <FieldInput field={field} value={value} shared={shared} onChange={onChange} />
      {about !== '' && (
        <p class="faint" id={`${id}-about`}>
          {about}
        </p>
      )}
      {wrong.length > 0 && (
        <p class="failed" id={`${id}-wrong`}>
          {wrong.map(({ message }) => message).join(' ')}
        </p>
      )}
    </div>
  );
}

interface InputProps {
  readonly field: Field;
  readonly value: unknown;
  readonly shared: Record<string, unknown>;
  readonly onChange: (value: unknown) => void;
}

function FieldInput({ field, value, shared, onChange }: InputProps): JSX.Element {
  const hint = field.default === undefined ? undefined : `default: ${JSON.stringify(field.default)}`;
  if (Array.isArray(field.enum) || field.type === 'boolean') {
    const choices = Array.isArray(field.enum) ? (field.enum as readonly unknown[]) : [true, false];
    return (
      <select
        {...shared}
        value={value === undefined ? '' : JSON.stringify(value)}
        onChange={({ currentTarget: { value: text } }) =>
          onChange(text === '' ? undefined : JSON.parse(text))
        }
      >
        <option value="">{hint ?? 'not given'}</option>
        {choices.map((choice) => (
          <option value={JSON.stringify(choice)}>
            {typeof choice === 'string' ? choice : JSON.stringify(choice)}
          </option>
        ))}
      </select>
    );
  }
  if (field.type === 'string' && (value === undefined || typeof value === 'string'))
    return (
      <input
        {...shared}
        type="text"
        value={value ?? ''}
        placeholder={hint}
        autocomplete="off"
        onInput={({ currentTarget: { value: text } }) =>
          onChange(text === '' && value === undefined ? undefined : text === '' ? undefined : text)
        }
      />
    );
  return <JsonInput value={value} hint={hint} shared={shared} onChange={onChange} />;
}

/** A value written as JSON; what is not JSON yet stays as it was typed. */
function JsonInput({
  value,
  hint,
  shared,
  onChange,
}: Omit<InputProps, 'field'> & { readonly hint: string | undefined }): JSX.Element {
  const said = value === undefined ? '' : JSON.stringify(value);
  const [typed, setTyped] = useState({ text: said, of: said });
  const text = typed.of === said ? typed.text : said;
  return (
    <input
      {...shared}
      type="text"
      class="mono"
      value={text}
      placeholder={hint}
      autocomplete="off"
      spellcheck={false}
      onInput={({ currentTarget: { value: entered } }) => {
        const parsed = parsedOf(entered);
        setTyped({ text: entered, of: parsed === undefined ? '' : JSON.stringify(parsed) });
        onChange(parsed);
      }}
    />
  );
}

/** What is no JSON is sent as the text that it is, and the schema says what it should be. */
function parsedOf(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function fieldsOf(schema: unknown): [string, Field][] {
  const { properties } = (schema ?? {}) as { properties?: unknown };
  if (properties === null || typeof properties !== 'object') return [];
  return Object.entries(properties).map(([name, field]) => [
    name,
    field !== null && typeof field === 'object' ? (field as Field) : {},
  ]);
}

function requiredOf(schema: unknown): ReadonlySet<string> {
  const { required } = (schema ?? {}) as { required?: unknown };
  return new Set(Array.isArray(required) ? required.filter((name) => typeof name === 'string') : []);
}
