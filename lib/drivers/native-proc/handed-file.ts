import { randomBytes } from 'node:crypto';
import { closeSync, fchownSync, ftruncateSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Invocation } from '../contract.js';
import type { Ids } from './ids.js';
import { loadLibc } from './libc.js';

/** Which descriptors a driver finds what in: those that shells and programs do not use by themselves. */
export const CALL_FD = 3;
export const CONFIG_FD = 20;

/** A descriptor that a program gets, and as which number. */
export type Handed = readonly [number: number, fd: number];

/**
 * A file that has no name in any folder, so that it is open to nobody but the program that is given its
 * descriptor (which opens it as `/dev/fd/N`), and nothing of it can be left behind.
 */
export class HandedFile {
  readonly fd: number;
  readonly #isInMemory: boolean;
  #isOpen = true;

  constructor(ids: Ids | null) {
    const fd = loadLibc()?.memfd('acheron') ?? -1;
    this.#isInMemory = fd !== -1;
    this.fd = this.#isInMemory ? fd : openUnlinked(ids);
  }

  /** Replaces what it holds. */
  write(content: string | Uint8Array): void {
    const bytes = Buffer.from(content as string);
    for (let at = 0; at < bytes.length;) at += writeSync(this.fd, bytes, at, bytes.length - at, at);
    ftruncateSync(this.fd, bytes.length);
  }

  /** From now on it stays as it is, also for processes that have it open. */
  seal(): void {
    if (this.#isInMemory) loadLibc()?.sealFile(this.fd);
  }

  close(): void {
    if (this.#isOpen) closeSync(this.fd);
    this.#isOpen = false;
  }
}

function openUnlinked(ids: Ids | null): number {
  const path = join(tmpdir(), `acheron-${randomBytes(8).toString('hex')}`);
  const fd = openSync(path, 'wx+', 0o600);
  unlinkSync(path);
  if (ids !== null) fchownSync(fd, ids.uid, ids.gid);
  return fd;
}

const texts = new WeakMap<object, Buffer>();

/** What a driver reads as the config of its service. */
export function configBytes(config: Invocation['config']): Buffer {
  let bytes = texts.get(config);
  if (bytes === undefined) texts.set(config, (bytes = Buffer.from(`${JSON.stringify(config, null, 2)}\n`)));
  return bytes;
}

export function pathOfDescriptor(number: number): string {
  return `/dev/fd/${number}`;
}

/**
 * The config for a process that lives longer than a config: two files, so that what changes is never
 * written to the one that calls under way may be reading.
 */
export class ConfigSlots {
  readonly #files: readonly [HandedFile, HandedFile];
  #current: 0 | 1 = 0;
  #content: Buffer | null = null;

  constructor(ids: Ids | null) {
    this.#files = [new HandedFile(ids), new HandedFile(ids)];
  }

  get handed(): readonly Handed[] {
    return this.#files.map(({ fd }, at): Handed => [CONFIG_FD + at, fd]);
  }

  /** Where the process finds this config. */
  pathOf(config: Invocation['config']): string {
    const content = configBytes(config);
    if (content !== this.#content && this.#content?.equals(content) !== true) {
      this.#current = this.#current === 0 ? 1 : 0;
      this.#files[this.#current].write(content);
    }
    this.#content = content;
    return pathOfDescriptor(CONFIG_FD + this.#current);
  }

  close(): void {
    for (const file of this.#files) file.close();
  }
}
