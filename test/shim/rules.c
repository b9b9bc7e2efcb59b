// test/shim/rules.c: the rules of GH_SHIM_RULES, read again when the file has changed, and what they say to a call.
//
// How:    what fired is counted in a file beside, mapped by all processes: <rules>.counts.<inode>.<time of change>, so that
//         a new set of rules begins at zero.  A rule's n-th match decides by a random number made from seed, rule and n.
//         GH_SHIM_CHECK=1: the process ends at its start, with status 1 if a line was not understood.
// SPDX-License-Identifier: PostgreSQL
#include "shim.h"

#include <fnmatch.h>
#include <sys/mman.h>
#include <time.h>

enum { RULES = 64, TEXT_MOST = 248, FILE_MOST = 32768, ERROR_NAMES = 11 };

struct rule
{
	unsigned functions;    // bits
	char pattern[PATH_MOST];
	enum fork fork;
	int64_t first_block, last_block;    // -1: all
	double probability;
	uint64_t skip, count;
	enum action action;
	int error;
	int64_t least_ms, most_ms;
};

// The layout of the file of counts; Perl and Python read it (unpack 'Q< ...').
struct counts
{
	uint64_t understood, ignored;
	struct { uint64_t matched, fired; char text[TEXT_MOST]; } of[RULES];
};

static struct rule rules[RULES];
static int rule_count;
static uint64_t seed;
static struct counts *counts;
static struct stat version;    // of the file that the rules are from
static char rules_path[4096];

bool has_rules(void) { return rules_path[0] != '\0'; }

uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9E3779B97F4A7C15u;
	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

// ------------------------------------------------------------------------------------------------ reading
static unsigned function_bits(const char *name)
{
	static const char *const names[FUNCTIONS] = { "open", "close", "pread", "preadv", "read", "pwrite", "pwritev", "write",
		"fsync", "fdatasync", "sync_file_range", "ftruncate", "truncate", "unlink", "rename", "fallocate",
		"posix_fadvise" };
	static const struct { const char *name; unsigned bits; } groups[] = {
		{ "reads", 1u << F_PREAD | 1u << F_PREADV | 1u << F_READ },
		{ "writes", 1u << F_PWRITE | 1u << F_PWRITEV | 1u << F_WRITE },
		{ "syncs", 1u << F_FSYNC | 1u << F_FDATASYNC },
		{ "truncates", 1u << F_TRUNCATE | 1u << F_FTRUNCATE },
	};
	for (int i = 0; i < FUNCTIONS; i++)
		if (strcmp(name, names[i]) == 0) return 1u << i;
	for (size_t i = 0; i < LENGTH_OF(groups); i++)
		if (strcmp(name, groups[i].name) == 0) return groups[i].bits;
	return 0;
}

static int error_by_name(const char *name)
{
	static const struct { const char *name; int error; } errors[ERROR_NAMES] = { { "EIO", EIO }, { "ENOSPC", ENOSPC },
		{ "EDQUOT", EDQUOT }, { "EFBIG", EFBIG }, { "EACCES", EACCES }, { "ENOENT", ENOENT }, { "EMFILE", EMFILE },
		{ "ENFILE", ENFILE }, { "EINTR", EINTR }, { "EROFS", EROFS },
		{ "EOPNOTSUPP", EOPNOTSUPP } };
	for (int i = 0; i < ERROR_NAMES; i++)
		if (strcmp(name, errors[i].name) == 0) return errors[i].error;
	return 0;
}

// "5-20" or "7"
static bool parse_range(const char *text, int64_t *low, int64_t *high)
{
	char *end;
	*low = *high = strtoll(text, &end, 10);
	if (end == text || *low < 0) return false;
	if (*end == '-')
	{
		const char *second = end + 1;
		*high = strtoll(second, &end, 10);
		if (end == second) return false;
	}
	return *end == '\0' && *low <= *high;
}

static bool parse_number(const char *text, uint64_t *number)
{
	char *end;
	*number = strtoull(text, &end, 10);
	return end != text && *end == '\0' && text[0] != '-';
}

static bool parse_fork(const char *text, struct rule *rule)
{
	static const char *const names[] = { "main", "fsm", "vm", "init" };
	for (size_t i = 0; i < LENGTH_OF(names); i++)
		if (strcmp(text, names[i]) == 0) rule->fork = FORK_MAIN + (enum fork)i;
	return rule->fork != FORK_NONE;
}

static bool parse_option(const char *word, struct rule *rule)
{
	const char *value = strchr(word, '=') + 1;
	char *end;
	if (strncmp(word, "fork=", 5) == 0) return parse_fork(value, rule);
	if (strncmp(word, "block=", 6) == 0) return parse_range(value, &rule->first_block, &rule->last_block);
	if (strncmp(word, "skip=", 5) == 0) return parse_number(value, &rule->skip);
	if (strncmp(word, "count=", 6) == 0) return parse_number(value, &rule->count);
	if (strncmp(word, "p=", 2) != 0) return false;
	rule->probability = strtod(value, &end);
	return end != value && *end == '\0' && rule->probability >= 0 && rule->probability <= 1;
}

static bool parse_action(char *word, char **rest, struct rule *rule)
{
	static const struct { const char *name; enum action action; bool argument; } actions[] = { { "delay", A_DELAY, true },
		{ "error", A_ERROR, true }, { "short", A_SHORT, false }, { "lose", A_LOSE, false }, { "torn", A_TORN, false },
		{ "kill", A_KILL, false }, { "skip-sync", A_SKIP_SYNC, false } };
	for (size_t i = 0; i < LENGTH_OF(actions); i++)
	{
		if (strcmp(word, actions[i].name) != 0) continue;
		rule->action = actions[i].action;
		char *argument = actions[i].argument ? strtok_r(NULL, " \t", rest) : NULL;
		if (actions[i].argument && !argument) return false;
		if (rule->action == A_DELAY && !parse_range(argument, &rule->least_ms, &rule->most_ms)) return false;
		if (rule->action == A_ERROR && (rule->error = error_by_name(argument)) == 0) return false;
		return strtok_r(NULL, " \t", rest) == NULL;
	}
	return false;
}

// What a call cannot do it must not seem to have done.
static bool makes_sense(const struct rule *rule)
{
	const unsigned writes = function_bits("writes"), reads = function_bits("reads"), syncs = function_bits("syncs");
	switch (rule->action)
	{
		case A_SHORT: return !(rule->functions & ~(reads | writes | function_bits("fallocate")));
		case A_TORN: return !(rule->functions & ~writes);
		case A_LOSE: return !(rule->functions & ~(writes | syncs | function_bits("truncates")));
		case A_SKIP_SYNC: return !(rule->functions & ~syncs);
		default: return true;
	}
}

static bool parse_functions(char *list, struct rule *rule)
{
	char *rest;
	for (char *name = strtok_r(list, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
	{
		unsigned bits = function_bits(name);
		if (bits == 0) return false;
		rule->functions |= bits;
	}
	return rule->functions != 0;
}

static bool parse_rule(char *line, struct rule *rule)
{
	*rule = (struct rule){ .first_block = -1, .last_block = -1, .probability = 1, .count = UINT64_MAX };
	char *rest;
	char *functions = strtok_r(line, " \t", &rest), *pattern = strtok_r(NULL, " \t", &rest);
	if (!functions || !pattern || strlen(pattern) >= PATH_MOST || !parse_functions(functions, rule)) return false;
	strcpy(rule->pattern, pattern);
	char *word;
	while ((word = strtok_r(NULL, " \t", &rest)) && strchr(word, '='))
		if (!parse_option(word, rule)) return false;
	return word && parse_action(word, &rest, rule) && makes_sense(rule);
}

// The shared file; without it (no right to write there) rules hold but nothing is counted, which is said.
static void map_counts(void)
{
	static struct counts private_counts;
	char path[sizeof rules_path + 64];
	if (counts && counts != &private_counts) munmap(counts, sizeof *counts);
	counts = &private_counts;
	memset(counts, 0, sizeof *counts);
	snprintf(path, sizeof path, "%s.counts.%llu.%llu", rules_path, (unsigned long long)version.st_ino,
		(unsigned long long)version.st_mtim.tv_sec * 1000000000u + (unsigned long long)version.st_mtim.tv_nsec);
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	void *shared = MAP_FAILED;
	if (fd >= 0 && syscall(SYS_ftruncate, fd, (off_t)sizeof *counts) == 0)
		shared = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd >= 0) syscall(SYS_close, fd);
	if (shared != MAP_FAILED)
		counts = shared;
	else
		fprintf(stderr, "gh_shim: %s: %s: nothing is counted\n", path, strerror(errno));
}

static void take_line(char *line, uint64_t *ignored)
{
	char text[TEXT_MOST];
	line += strspn(line, " \t");
	if (line[0] == '\0' || line[0] == '#') return;
	snprintf(text, sizeof text, "%s", line);
	if (strncmp(line, "seed ", 5) == 0 && parse_number(line + 5, &seed)) return;
	if (rule_count < RULES && parse_rule(line, &rules[rule_count]))
	{
		memcpy(counts->of[rule_count].text, text, sizeof text);    // the same by whoever reads the file
		rule_count++;
		return;
	}
	++*ignored;
	fprintf(stderr, "gh_shim: not understood, ignored: %s\n", text);
}

static void read_rules(int fd)
{
	static char text[FILE_MOST];
	uint64_t ignored = 0;
	size_t length = 0;
	ssize_t got;
	while (length < sizeof text - 1 && (got = syscall(SYS_read, fd, text + length, sizeof text - 1 - length)) > 0) length += (size_t)got;
	text[length] = '\0';
	rule_count = 0;
	seed = 0;
	map_counts();
	char *rest;
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) take_line(line, &ignored);
	counts->understood = (uint64_t)rule_count;
	counts->ignored = ignored;
}

static void look_for_new_rules(void)
{
	struct stat now;
	if (stat(rules_path, &now) != 0)
	{
		rule_count = 0;
		version.st_ino = 0;
		return;
	}
	if (now.st_ino == version.st_ino && now.st_size == version.st_size && now.st_mtim.tv_sec == version.st_mtim.tv_sec
		&& now.st_mtim.tv_nsec == version.st_mtim.tv_nsec)
		return;
	int fd = (int)syscall(SYS_openat, AT_FDCWD, rules_path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0) return;
	if (fstat(fd, &version) == 0) read_rules(fd);
	syscall(SYS_close, fd);
}

__attribute__((constructor)) static void find_rules(void)
{
	const char *path = getenv("GH_SHIM_RULES");
	if (!path || strlen(path) >= sizeof rules_path) return;
	strcpy(rules_path, path);
	if (!getenv("GH_SHIM_CHECK")) return;
	look_for_new_rules();
	_exit(!counts || counts->ignored > 0);
}

// ------------------------------------------------------------------------------------------------ judging
// Alternatives of a pattern stand between bars; * matches / too.
static bool path_matches(const char *patterns, const char *path)
{
	char all[PATH_MOST], *rest;
	strcpy(all, patterns);
	for (char *pattern = strtok_r(all, "|", &rest); pattern; pattern = strtok_r(NULL, "|", &rest))
		if (fnmatch(pattern, path, 0) == 0) return true;
	return false;
}

static bool matches(const struct rule *rule, enum function function, const struct shim_file *file, off_t from, off_t length)
{
	if (!(rule->functions & 1u << function)) return false;
	if (rule->fork != FORK_NONE && rule->fork != file->fork) return false;
	if (rule->first_block >= 0)
	{
		int64_t first = file->first_block + from / PAGE, last = file->first_block + (from + (length > 0 ? length - 1 : 0)) / PAGE;
		if (last < rule->first_block || first > rule->last_block) return false;
	}
	return path_matches(rule->pattern, file->path);
}

static bool fires(int number, uint64_t *random)
{
	const struct rule *rule = &rules[number];
	uint64_t match = __atomic_fetch_add(&counts->of[number].matched, 1, __ATOMIC_RELAXED);
	uint64_t state = seed ^ (uint64_t)(number + 1) << 48 ^ match << 8;
	next_random(&state);
	if (match < rule->skip || (double)(next_random(&state) >> 11) >= rule->probability * 0x1p53) return false;
	*random = next_random(&state);
	uint64_t so_far = __atomic_load_n(&counts->of[number].fired, __ATOMIC_RELAXED);
	do
		if (so_far >= rule->count) return false;
	while (!__atomic_compare_exchange_n(&counts->of[number].fired, &so_far, so_far + 1, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

static void wait_a_while(const struct rule *rule, uint64_t random)
{
	uint64_t ms = (uint64_t)rule->least_ms + random % (uint64_t)(rule->most_ms - rule->least_ms + 1);
	struct timespec left = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000 };
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {}
}

// Delays are kept at once; what else the first rule that fires wants is returned.
struct verdict ask_rules(enum function function, const struct shim_file *file, off_t from, off_t length)
{
	struct verdict verdict = { A_NONE, 0, 0 };
	int saved = errno;
	look_for_new_rules();
	for (int i = 0; i < rule_count; i++)
	{
		if (!matches(&rules[i], function, file, from, length) || !fires(i, &verdict.random)) continue;
		if (rules[i].action == A_DELAY)
		{
			wait_a_while(&rules[i], verdict.random);
			continue;
		}
		verdict.action = rules[i].action;
		verdict.error = rules[i].error;
		break;
	}
	errno = saved;
	return verdict;
}
