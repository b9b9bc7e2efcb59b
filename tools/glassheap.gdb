# tools/glassheap.gdb: what of glassheap can be seen in a process or a core file: gdb -x tools/glassheap.gdb -p PID
# Recipes: doc/contributing/debugging.md.  Buffers are numbered as glassheap_buffercache does, from 1.
# SPDX-License-Identifier: PostgreSQL
set pagination off
set print pretty on
# Names of ours are understood also while the process is in a function of PostgreSQL's.
set language c++
# PostgreSQL's latches wake each other by this signal.
handle SIGUSR1 nostop noprint pass
handle SIGURG nostop noprint pass

define gh-frame
  set $gh_f = &glassheap::buffer::pool.frames[$arg0 - 1]
  set $gh_w = $gh_f->state.word_._M_i
  printf "buffer %d: tablespace %u database %u file %u fork %u block %u\n", $arg0, $gh_f->tag.space, $gh_f->tag.database, $gh_f->tag.relation, $gh_f->tag.fork, $gh_f->tag.block
  printf "  pins %u usage %u", $gh_w & 0x3ffff, ($gh_w >> 18) & 15
  if $gh_w & (1 << 22)
    printf " TAG_VALID"
  end
  if $gh_w & (1 << 23)
    printf " DATA_VALID"
  end
  if $gh_w & (1 << 24)
    printf " DIRTY"
  end
  if $gh_w & (1 << 25)
    printf " JUST_DIRTIED"
  end
  if $gh_w & (1 << 26)
    printf " IO_IN_PROGRESS"
  end
  if $gh_w & (1 << 27)
    printf " IO_ERROR"
  end
  if $gh_w & (1 << 28)
    printf " DOOMED"
  end
  if $gh_w & (1 << 29)
    printf " CLEANUP_WAITER"
  end
  if $gh_w & (1 << 30)
    printf " PERMANENT"
  end
  set $gh_l = $gh_f->latch.state.value
  printf "\n  latch:"
  if $gh_l & (1 << 24)
    printf " exclusive"
  end
  if $gh_l & 0xffffff
    printf " shared by %u", $gh_l & 0xffffff
  end
  if $gh_l & (1 << 30)
    printf " with waiters"
  end
  printf "\n"
end
document gh-frame
gh-frame BUFFER: which page the frame holds, its pins and flags, who has the latch.
end

define gh-find
  set $gh_i = 0
  while $gh_i < glassheap::buffer::pool.frame_count
    set $gh_f = &glassheap::buffer::pool.frames[$gh_i]
    if $gh_f->tag.relation == $arg0 && $gh_f->tag.fork == 0 && $gh_f->tag.block == $arg1 && ($gh_f->state.word_._M_i & (1 << 22))
      gh-frame $gh_i+1
    end
    set $gh_i = $gh_i + 1
  end
end
document gh-find
gh-find FILE BLOCK: the frame of a block of a relation's main fork (pg_relation_filenode says the file).
end

define gh-page
  set $gh_p = (char *) glassheap::buffer::pool.pages + ((long) ($arg0 - 1)) * 8192
  set $gh_h = (PageHeader) $gh_p
  printf "lsn %X/%X checksum %u flags 0x%x lower %u upper %u prune_xid %u\n", $gh_h->pd_lsn.xlogid, $gh_h->pd_lsn.xrecoff, $gh_h->pd_checksum, $gh_h->pd_flags, $gh_h->pd_lower, $gh_h->pd_upper, $gh_h->pd_prune_xid
  set $gh_n = ((int) $gh_h->pd_lower - 24) / 4
  set $gh_i = 0
  while $gh_i < $gh_n
    set $gh_l = $gh_h->pd_linp[$gh_i]
    printf "  %d:", $gh_i + 1
    if $gh_l.lp_flags == 0
      printf " unused\n"
    end
    if $gh_l.lp_flags == 2
      printf " redirected to %u\n", $gh_l.lp_off
    end
    if $gh_l.lp_flags == 3
      printf " dead\n"
    end
    if $gh_l.lp_flags == 1
      set $gh_t = (HeapTupleHeader) ($gh_p + $gh_l.lp_off)
      printf " at %u length %u xmin %u xmax %u ctid (%u,%u) infomask 0x%x infomask2 0x%x\n", $gh_l.lp_off, $gh_l.lp_len, $gh_t->t_choice.t_heap.t_xmin, $gh_t->t_choice.t_heap.t_xmax, ((unsigned) $gh_t->t_ctid.ip_blkid.bi_hi << 16) | $gh_t->t_ctid.ip_blkid.bi_lo, $gh_t->t_ctid.ip_posid, $gh_t->t_infomask, $gh_t->t_infomask2
    end
    set $gh_i = $gh_i + 1
  end
end
document gh-page
gh-page BUFFER: header, line pointers and tuple headers of the page in a frame.
end
