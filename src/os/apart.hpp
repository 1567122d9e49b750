// Where large variables are kept, so that the small ones lie together.
//
// Each page that a process stores to after a fork, or a child before it has stored there, is copied: some microseconds
// each. What the fork server and a fresh worker store to are a few words, in the library's variables: they should not
// lie on a page each because something large stands between them. That holds where the room is compiled as one unit, as
// it is by default: the linker goes by files.
#pragma once

#define BULKHEAD_APART [[gnu::section(".bss.apart")]]
// Also large, but only its first words are stored to. The program's layout puts it last among the small ones (see
// tools/bulkhead/start); elsewhere it lies where the linker puts it.
#define BULKHEAD_LAST [[gnu::section(".bss.last")]]
