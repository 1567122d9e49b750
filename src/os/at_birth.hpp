// What every worker runs at its birth, kept together.
//
// A newborn process has none of its program's code in its page tables: each page of it, and with luck some around it,
// costs a fault when it is run first. A worker whose task kills it has run fifty functions, each a few dozen
// instructions, from everywhere in the library. The linker puts sections of this name next to each other, in whichever
// program the library is linked into: they are on a few pages then. (`bulkhead` is laid out further, by name: see
// tools/bulkhead/start.)
#pragma once

#define BULKHEAD_AT_BIRTH [[gnu::section(".text.hot.bulkhead")]]
