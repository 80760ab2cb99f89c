// text-stats: {"text": "…"} -> how many lines, words, characters and bytes, and the longest line.
//
// A driver for `"type": "wasm"`: an ordinary C program, built for WASI preview 1 by build.sh beside it. It
// reads the payload from stdin and prints the result on stdout, as any driver does; in the sandbox it has
// no files, no network and no clock to ask.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned char *input;
static size_t length, at;

static _Noreturn void refuse(const char *sentence) {
  fprintf(stderr, "text-stats: %s\n", sentence);
  exit(2);
}

static void read_all(void) {
  size_t room = 65536;
  input = malloc(room);
  for (size_t got; input != NULL && (got = fread(input + length, 1, room - length, stdin)) > 0;) {
    length += got;
    if (length == room) input = realloc(input, room *= 2);
  }
  if (input == NULL) refuse("the payload does not fit into memory");
}

static int peek(void) {
  while (at < length && strchr(" \t\r\n", input[at]) != NULL && input[at] != 0) at++;
  return at < length ? input[at] : EOF;
}

static void expect(int letter) {
  if (peek() != letter) refuse("the payload is not a JSON object");
  at++;
}

static int hex4(void) {
  int value = 0;
  for (int i = 0; i < 4; i++, at++) {
    int letter = at < length ? input[at] : 0;
    int digit = letter >= '0' && letter <= '9' ? letter - '0' : (letter | 32) >= 'a' && (letter | 32) <= 'f' ? (letter | 32) - 'a' + 10 : -1;
    if (digit < 0) refuse("the payload has a bad \\u escape");
    value = value * 16 + digit;
  }
  return value;
}

// What is counted, one code point at a time.
struct counts {
  uint64_t lines, words, characters, bytes, line_length, longest_line;
  bool in_word;
};

static void count_code_point(struct counts *c, uint32_t point) {
  c->characters++;
  c->bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  bool space = point == ' ' || (point >= 9 && point <= 13) || point == 0x85 || point == 0xa0 || point == 0x1680 ||
               (point >= 0x2000 && point <= 0x200a) || point == 0x2028 || point == 0x2029 || point == 0x202f ||
               point == 0x205f || point == 0x3000;
  if (!space && !c->in_word) c->words++;
  c->in_word = !space;
  if (point == '\n') {
    c->lines++;
    c->line_length = 0;
  } else if (++c->line_length > c->longest_line) {
    c->longest_line = c->line_length;
  }
}

static uint32_t escaped(void) {
  static const char letters[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
  int letter = at < length ? input[at++] : 0;
  if (letter == 'u') {
    uint32_t point = (uint32_t)hex4();
    if (point >= 0xd800 && point < 0xdc00 && at + 1 < length && input[at] == '\\' && input[at + 1] == 'u') {
      size_t before = at;
      at += 2;
      uint32_t low = (uint32_t)hex4();
      if (low >= 0xdc00 && low < 0xe000) return 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
      at = before;
    }
    return point;
  }
  const char *found = letter == 0 ? NULL : strchr(letters, letter);
  if (found == NULL) refuse("the payload has a bad escape");
  return (uint32_t)(unsigned char)values[found - letters];
}

static uint32_t plain(void) {
  uint32_t first = input[at++];
  int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
  uint32_t point = more == 0 ? first : first & (0x3f >> more);
  for (; more > 0 && at < length && (input[at] & 0xc0) == 0x80; more--) point = (point << 6) | (input[at++] & 0x3f);
  return point;
}

// Reads a string; counts it where `c` is given, else compares it to `name`.
static bool string(struct counts *c, const char *name) {
  bool same = true;
  size_t index = 0;
  expect('"');
  while (at < length && input[at] != '"') {
    uint32_t point;
    if (input[at] == '\\') {
      at++;
      point = escaped();
    } else {
      point = plain();
    }
    if (c != NULL) count_code_point(c, point);
    else if (same) same = name[index] != 0 && point == (unsigned char)name[index++];
  }
  if (at++ >= length) refuse("the payload ends inside a string");
  return same && c == NULL && name[index] == 0;
}

// Passes over a value of any other kind.
static void skip(void) {
  int depth = 0;
  do {
    int letter = peek();
    if (letter == EOF) refuse("the payload ends too early");
    if (letter == '"') {
      string(NULL, "");
    } else {
      if (letter == '{' || letter == '[') depth++;
      if (letter == '}' || letter == ']') depth--;
      at++;
      if (depth == 0 && letter != '}' && letter != ']')
        while (at < length && strchr(",}] \t\r\n", input[at]) == NULL) at++;
    }
  } while (depth > 0);
}

int main(void) {
  struct counts c = {0};
  bool found = false;
  read_all();
  expect('{');
  if (peek() != '}') {
    for (;;) {
      bool is_text = string(NULL, "text");
      expect(':');
      if (is_text && peek() == '"') {
        string(&c, NULL);
        found = true;
      } else {
        skip();
      }
      if (peek() != ',') break;
      at++;
    }
  }
  expect('}');
  if (!found) refuse("\"text\" must be a string");
  printf("{\"lines\":%llu,\"words\":%llu,\"characters\":%llu,\"bytes\":%llu,\"longest_line\":%llu}\n",
         (unsigned long long)c.lines, (unsigned long long)c.words, (unsigned long long)c.characters,
         (unsigned long long)c.bytes, (unsigned long long)c.longest_line);
  return 0;
}
